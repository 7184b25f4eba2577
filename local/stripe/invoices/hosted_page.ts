import { html } from "hono/html";
import type { Stripe } from "stripe";
import { cardInput, challenge, type Page, page, problemNote } from "../hosted/shell.ts";
import { money } from "./tiers.ts";

/** The page on which a customer pays an open invoice. `problem` names what went wrong before. */
export function invoicePage(invoice: Stripe.Invoice, problem: string | undefined): Page {
  const shown = (amount: number) => money(amount, invoice.currency);
  return page(
    `Invoice ${invoice.number ?? ""}`,
    html`
      <table>
        ${invoice.lines.data.map((line) =>
          html`
            <tr>
              <td>${line.description}</td>
              <td>${shown(line.amount)}</td>
            </tr>
          `
        )}
        <tr><th>Total</th><th>${shown(invoice.total)}</th></tr>
        <tr><th>Due</th><th>${shown(invoice.amount_remaining)}</th></tr>
      </table>
      ${problemNote(problem)}
      <form method="post">
        <label>By card</label>
        ${cardInput()}
        <button type="submit">Pay</button>
      </form>
    `,
  );
}

/** The page on which a card's owner approves or refuses the payment of an invoice. */
export function invoiceChallengePage(invoice: Stripe.Invoice): Page {
  return challenge(money(invoice.amount_remaining, invoice.currency));
}
