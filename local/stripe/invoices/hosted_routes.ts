import { type Context, Hono } from "hono";
import type { Stripe } from "stripe";
import type { Account } from "../account.ts";
import { testCard } from "../customers/cards.ts";
import { notePage } from "../hosted/shell.ts";
import { collect } from "../subscriptions/collection.ts";
import { invoiceChallengePage, invoicePage } from "./hosted_page.ts";

type Result = "paid" | "challenged" | "card_declined" | "invalid_number";

/**
 * The hosted invoice page, to be mounted at `/i`. A card that pays here pays this invoice and is not
 * saved.
 *
 * - `GET /:id` shows what is to be paid, or that nothing is.
 * - `POST /:id` pays with the form's `card`, a test number. Answers 303: to the page (after a failure
 *   with `?problem=…`), or to `/:id/authenticate`.
 * - `POST /:id/authenticate` with `decision=approve` or `refuse` ends a 3-D Secure challenge.
 *
 * `account` is called for every request, `changed` after every one that may change something.
 */
export function hostedInvoiceRoutes(
  account: (invoice: string) => Account,
  changed: () => void,
): Hono {
  const app = new Hono();
  const on = (
    method: "GET" | "POST",
    path: string,
    answer: (c: Context, account: Account, invoice: Stripe.Invoice, form: URLSearchParams) =>
      | Response
      | Promise<Response>,
  ) =>
    app.on(method, path, async (c) => {
      const form = new URLSearchParams(await c.req.text());
      const id = c.req.param("id") ?? "";
      const at = account(id);
      const invoice = at.state.invoices[id];
      if (invoice?.status === "open") return await answer(c, at, invoice, form);
      return refusal(c, invoice);
    });
  on("GET", "/:id", (c, _, invoice) => c.html(invoicePage(invoice, c.req.query("problem"))));
  on("POST", "/:id", (c, account, invoice, form) => {
    const result = pay(account, invoice, form.get("card") ?? "", false);
    changed();
    return c.redirect(whereNext(invoice, result), 303);
  });
  on("GET", "/:id/authenticate", (c, _, invoice) => c.html(invoiceChallengePage(invoice)));
  on("POST", "/:id/authenticate", (c, account, invoice, form) => {
    const { challengedCards: challenged } = account.state;
    const card = challenged[invoice.id];
    delete challenged[invoice.id];
    changed();
    if (card === undefined || form.get("decision") !== "approve") {
      return c.redirect(`/i/${invoice.id}?problem=authentication_failed`, 303);
    }
    return c.redirect(whereNext(invoice, pay(account, invoice, card, true)), 303);
  });
  return app;
}

function pay(
  account: Account,
  invoice: Stripe.Invoice,
  number: string,
  isApproved: boolean,
): Result {
  const card = testCard(number);
  if (card === undefined) return "invalid_number";
  if (card.behaviour === "authenticates" && !isApproved) {
    account.state.challengedCards[invoice.id] = number;
    return "challenged";
  }
  const isDeclined = card.behaviour === "declines";
  collect(account, invoice, isDeclined ? "declined" : "succeeded");
  return isDeclined ? "card_declined" : "paid";
}

function whereNext({ id }: Stripe.Invoice, result: Result): string {
  if (result === "paid") return `/i/${id}`;
  return result === "challenged" ? `/i/${id}/authenticate` : `/i/${id}?problem=${result}`;
}

function refusal(c: Context, invoice: Stripe.Invoice | undefined): Response | Promise<Response> {
  if (invoice === undefined) return c.html(notePage("There is no such invoice."), 404);
  if (invoice.status === "paid") {
    // After a payment the browser comes back here.
    return c.html(notePage("This invoice is paid."), c.req.method === "GET" ? 200 : 409);
  }
  return c.html(notePage(`This invoice is ${invoice.status}.`), 410);
}
