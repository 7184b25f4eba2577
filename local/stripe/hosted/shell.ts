import { html } from "hono/html";

const PROBLEMS: Record<string, string> = {
  authentication_failed: "The authentication failed. Please choose another card.",
  card_declined: "Your card was declined. Please try another one.",
  invalid_number: "Your card number is invalid.",
  not_allowed: "This can't be done here.",
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

/** A piece of a page, or a whole one. */
export type Page = ReturnType<typeof html>;

/** What went wrong before, by its name; nothing where nothing did. */
export function problemNote(problem: string | undefined): Page | "" {
  const message = problem === undefined ? undefined : PROBLEMS[problem];
  return message === undefined ? "" : html`<p class="problem" role="alert">${message}</p>`;
}

/** The field for a card's number. */
export function cardInput(): Page {
  return html`
    <input name="card" type="text" inputmode="numeric" aria-label="Card number"
      value="4242 4242 4242 4242">
    <small>4242 4242 4242 4242 pays, 4000 0000 0000 0002 is declined,
      4000 0027 6000 3184 asks for authentication.</small>
  `;
}

/** The page on which a card's owner approves or refuses a payment. */
export function challenge(amount: string): Page {
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
  return page("Stripe", html`<p>${note}</p>`);
}

/** A whole page. */
export function page(title: string, body: Page): Page {
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
            <p><small>A local stand-in for Stripe. No money moves.</small></p>
          </body>
    </html>
  `;
}
