import { html } from "hono/html";
import type { Stripe } from "stripe";
import { cardInput, challenge, type Page, page, problemNote } from "../hosted/shell.ts";
import { money } from "../invoices/tiers.ts";

/** The page on which a customer pays an open session. `problem` names what went wrong before. */
export function payPage(
  session: Stripe.Checkout.Session,
  lines: readonly Stripe.LineItem[],
  problem: string | undefined,
): Page {
  const currency = session.currency ?? "usd";
  return page(
    "Subscribe",
    html`
      <table>
        ${lines.map((line) =>
          html`
            <tr>
              <td>${line.quantity} × ${line.description}</td>
              <td>${money(line.amount_total, currency)}</td>
            </tr>
          `
        )}
        <tr><th>Due today</th><th>${money(session.amount_total ?? 0, currency)}</th></tr>
      </table>
      ${problemNote(problem)}
      <form method="post">
        ${session.customer === null && session.customer_email === null
          ? html`
            <label for="email">E-mail</label>
            <input id="email" name="email" type="email" required>
          `
          : html`<p>Paid by ${session.customer_details?.email ?? "the known customer"}</p>`}
        <label><input type="radio" name="method" value="card" checked> By card</label>
        ${cardInput()}
        <label><input type="radio" name="method" value="later"> By bank debit: it takes days until
          it is known whether the payment succeeds</label>
        <button type="submit">Subscribe</button>
        ${session.cancel_url === null ? "" : html`<a href="${session.cancel_url}">Cancel</a>`}
      </form>
    `,
  );
}

/** The page on which a card's owner approves or refuses a payment. */
export function challengePage(session: Stripe.Checkout.Session): Page {
  return challenge(money(session.amount_total ?? 0, session.currency ?? "usd"));
}
