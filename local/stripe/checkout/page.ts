import { html } from "hono/html";
import type { Stripe } from "stripe";
import { money } from "../invoices/tiers.ts";

const PROBLEMS: Record<string, string> = {
  authentication_failed: "The authentication failed. Please choose another card.",
  card_declined: "Your card was declined. Please try another one.",
  invalid_number: "Your card number is invalid.",
  missing_email: "Please give your e-mail address.",
};

const STYLE = `
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 30rem; margin: 3rem auto; padding: 0 1rem; }
  table { border-collapse: collapse; width: 100%; margin: 1rem 0; }
  td, th { text-align: left; padding: .4rem 0; border-bottom: 1px solid #ddd; }
  td:last-child, th:last-child { text-align: right; }
  label { display: block; margin: .75rem 0 .25rem; }
  input:not([type=radio]) { font: inherit; padding: .4rem; width: 100%; box-sizing: border-box; }
  button { font: inherit; padding: .5rem 1rem; margin: 1rem .5rem 1rem 0; }
  .problem { color: #a40000; }
  small { color: #555; }
`;

type Page = ReturnType<typeof html>;

/** The page on which a customer pays an open session. `problem` names what went wrong before. */
export function payPage(
  session: Stripe.Checkout.Session,
  lines: readonly Stripe.LineItem[],
  problem: string | undefined,
): Page {
  const currency = session.currency ?? "usd";
  const message = problem === undefined ? undefined : PROBLEMS[problem];
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
      ${message === undefined ? "" : html`<p class="problem" role="alert">${message}</p>`}
      <form method="post">
        ${session.customer === null && session.customer_email === null
          ? html`
            <label for="email">E-mail</label>
            <input id="email" name="email" type="email" required>
          `
          : html`<p>Paid by ${session.customer_details?.email ?? "the known customer"}</p>`}
        <label><input type="radio" name="method" value="card" checked> By card</label>
        <input name="card" type="text" inputmode="numeric" aria-label="Card number"
          value="4242 4242 4242 4242">
        <small>4242 4242 4242 4242 pays, 4000 0000 0000 0002 is declined,
          4000 0027 6000 3184 asks for authentication.</small>
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
  const amount = money(session.amount_total ?? 0, session.currency ?? "usd");
  return page(
    "3-D Secure",
    html`
      <p>Your bank asks: do you approve the payment of ${amount}?</p>
      <form method="post">
        <button name="decision" value="approve">Approve</button>
        <button name="decision" value="refuse">Refuse</button>
      </form>
    `,
  );
}

/** A page that only says something. */
export function notePage(note: string): Page {
  return page("Checkout", html`<p>${note}</p>`);
}

function page(title: string, body: Page): Page {
  return html`
    <!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>${title} (local Stripe)</title>
        <style>${STYLE}</style>
      </head>
      <body>
            <h1>${title}</h1>
            ${body}
            <p><small>A local stand-in for Stripe Checkout. No money moves.</small></p>
          </body>
    </html>
  `;
}
