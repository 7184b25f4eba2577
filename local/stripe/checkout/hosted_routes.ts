import { type Context, Hono } from "hono";
import type { Stripe } from "stripe";
import type { Account } from "../account.ts";
import { paySession, type Result } from "./completion.ts";
import { notePage } from "../hosted/shell.ts";
import { challengePage, payPage } from "./page.ts";
import { sessionDetailsOf } from "./session.ts";

/**
 * The hosted page, to be mounted at `/c/pay`.
 *
 * - `GET /:id` shows what is to be paid.
 * - `POST /:id` pays with the form's `card` (a test number), or with `method=later` by bank debit;
 *   `email` is needed where the session knows no customer. Answers 303: to the success address, or
 *   back to the page (`?problem=…`), or to `/:id/authenticate`.
 * - `POST /:id/authenticate` with `decision=approve` or `refuse` ends a 3-D Secure challenge.
 *
 * `account` is called for every request, `changed` after every one that may change something.
 */
export function hostedRoutes(account: () => Account, changed: () => void): Hono {
  const app = new Hono();
  app.get("/:id", (c) => {
    const session = openSession(c, account());
    if (session instanceof Response || session instanceof Promise) return session;
    const { lineItems } = sessionDetailsOf(account(), session.id);
    return c.html(payPage(session, lineItems.data, c.req.query("problem")));
  });
  app.post("/:id", async (c) => {
    const form = new URLSearchParams(await c.req.text());
    const session = openSession(c, account());
    if (session instanceof Response || session instanceof Promise) return session;
    const result = paySession(account(), session, {
      email: form.get("email") || null,
      isDelayed: form.get("method") === "later",
      card: form.get("card") ?? "",
      isApproved: false,
    });
    changed();
    return c.redirect(whereNext(session, result), 303);
  });
  app.get("/:id/authenticate", (c) => {
    const session = openSession(c, account());
    if (session instanceof Response || session instanceof Promise) return session;
    return c.html(challengePage(session));
  });
  app.post("/:id/authenticate", async (c) => {
    const form = new URLSearchParams(await c.req.text());
    const session = openSession(c, account());
    if (session instanceof Response || session instanceof Promise) return session;
    const details = sessionDetailsOf(account(), session.id);
    const { challenged } = details;
    details.challenged = null;
    changed();
    if (challenged === null || form.get("decision") !== "approve") {
      return c.redirect(`/c/pay/${session.id}?problem=authentication_failed`, 303);
    }
    const payment = { ...challenged, isDelayed: false, isApproved: true };
    return c.redirect(whereNext(session, paySession(account(), session, payment)), 303);
  });
  app.onError((error, c) => c.html(notePage(`This can't be paid: ${error.message}`), 400));
  return app;
}

function whereNext(session: Stripe.Checkout.Session, result: Result): string {
  if (result === "completed") {
    return (session.success_url ?? "/").replaceAll("{CHECKOUT_SESSION_ID}", session.id);
  }
  if (result === "challenged") return `/c/pay/${session.id}/authenticate`;
  return `/c/pay/${session.id}?problem=${result}`;
}

/** The session of the address while it is open; otherwise the page that says why it is not. */
function openSession(c: Context, account: Account) {
  const session = account.state.sessions[c.req.param("id") ?? ""];
  if (session === undefined) return c.html(notePage("There is no such Checkout Session."), 404);
  if (session.status === "complete") {
    return c.html(notePage("This Checkout Session is complete. Nothing is left to pay."), 409);
  }
  if (session.status !== "open") {
    return c.html(notePage("This Checkout Session has expired."), 410);
  }
  return session;
}
