import { html } from "hono/html";
import type { Stripe } from "stripe";
import { cardInput, type Page, page, problemNote } from "../hosted/shell.ts";
import { money } from "../invoices/tiers.ts";

/** What the portal shows of a customer. */
export interface PortalView {
  session: Stripe.BillingPortal.Session;
  features: Stripe.BillingPortal.Configuration["features"];
  subscriptions: Stripe.Subscription[];
  invoices: Stripe.Invoice[];
  /** What went wrong before, by its name. */
  problem: string | undefined;
}

/** The page on which a customer sees to subscriptions, cards and invoices. */
export function portalPage(view: PortalView): Page {
  const { session, features, subscriptions, invoices, problem } = view;
  return page(
    "Your billing",
    html`
      ${problemNote(problem)}
      ${subscriptions.map((one) => subscriptionPart(one, features.subscription_cancel.enabled))}
      ${features.payment_method_update.enabled
        ? html`
          <form method="post">
            <input type="hidden" name="action" value="card">
            <label>Pay with another card from now on</label>
            ${cardInput()}
            <button type="submit">Replace the card</button>
          </form>
        `
        : ""} ${features.invoice_history.enabled
        ? html`
          <table>${invoices.map(invoiceRow)}</table>
        `
        : ""} ${session.return_url === null ? "" : html`<a href="${session.return_url}">Return</a>`}
    `,
  );
}

function subscriptionPart(subscription: Stripe.Subscription, isCancellable: boolean): Page {
  const { id, status, cancel_at: cancelAt, items } = subscription;
  const action = cancelAt === null ? "cancel" : "reactivate";
  return html`
    <form method="post">
      <p>${items.data.map(({ quantity }) => `${quantity} seats`).join(
        ", ",
      )}: ${status}${cancelAt ===
          null
        ? ""
        : `, ends ${new Date(cancelAt * 1000).toISOString().slice(0, 10)}`}</p>
      <input type="hidden" name="subscription" value="${id}">
      ${isCancellable
        ? html`
          <button name="action" value="${action}">${action === "cancel"
            ? "Cancel"
            : "Keep"} it</button>
        `
        : ""}
    </form>
  `;
}

function invoiceRow(invoice: Stripe.Invoice): Page {
  return html`
    <tr>
      <td><a href="${invoice.hosted_invoice_url}">${invoice.number}</a> ${invoice.status}</td>
      <td>${money(invoice.total, invoice.currency)}</td>
    </tr>
  `;
}
