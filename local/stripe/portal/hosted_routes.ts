import { Hono } from "hono";
import type { Stripe } from "stripe";
import type { Account } from "../account.ts";
import { newestFirst } from "../account_state.ts";
import { testCard } from "../customers/cards.ts";
import { changeCustomer, liveCustomer } from "../customers/customer.ts";
import { attach, createCard } from "../customers/payment_method.ts";
import { notePage } from "../hosted/shell.ts";
import { cancellationAtEnd, cancelNow } from "../subscriptions/ending.ts";
import { changeSubscription, livingSubscriptions } from "../subscriptions/subscription.ts";
import { inFrameOf } from "../test_clocks/frame.ts";
import { configurationOf } from "./configuration_routes.ts";
import { portalPage } from "./portal_page.ts";

/**
 * The customer portal, to be mounted at `/p/session`.
 *
 * - `GET /:id` shows the customer's subscriptions, and what the configuration allows of the rest.
 * - `POST /:id` with `action=cancel` or `reactivate` and a `subscription`, or with `action=card` and
 *   the number of a test card in `card`. Answers 303: to the page, with `?problem=…` after a refusal.
 *
 * `account` is called for every request, `changed` after every one that may change something.
 */
export function portalRoutes(account: () => Account, changed: () => void): Hono {
  const app = new Hono();
  app.get("/:id", (c) => {
    const session = account().state.portalSessions[c.req.param("id")];
    if (session === undefined) return c.html(notePage("There is no such portal session."), 404);
    const { features } = configurationOf(account(), String(session.configuration));
    return c.html(portalPage({
      session,
      features,
      subscriptions: livingSubscriptions(account().state, session.customer),
      invoices: newestFirst(account().state.invoices)
        .filter(({ customer, status }) => customer === session.customer && status !== "draft"),
      problem: c.req.query("problem"),
    }));
  });
  app.post("/:id", async (c) => {
    const form = new URLSearchParams(await c.req.text());
    const session = account().state.portalSessions[c.req.param("id")];
    if (session === undefined) return c.html(notePage("There is no such portal session."), 404);
    const problem = act(inFrameOf(account(), session.customer), session, form);
    changed();
    const query = problem === undefined ? "" : `?problem=${problem}`;
    return c.redirect(`/p/session/${session.id}${query}`, 303);
  });
  return app;
}

function act(
  account: Account,
  session: Stripe.BillingPortal.Session,
  form: URLSearchParams,
): string | undefined {
  const { features } = configurationOf(account, String(session.configuration));
  const action = form.get("action");
  if (action === "card") {
    if (!features.payment_method_update.enabled) return "not_allowed";
    return replaceCard(account, session.customer, form.get("card") ?? "");
  }
  const subscription = livingSubscriptions(account.state, session.customer)
    .find(({ id }) => id === form.get("subscription"));
  const { enabled, mode } = features.subscription_cancel;
  if (!enabled || subscription === undefined) return "not_allowed";
  if (action === "reactivate") {
    changeSubscription(account, subscription, cancellationAtEnd(account, subscription, false));
  } else if (mode === "immediately") {
    cancelNow(account, subscription, { reason: "cancellation_requested" });
  } else {
    // In the flexible billing mode the portal sets the moment alone; see Stripe's "Compare classic
    // and flexible billing mode", cancellations in the customer portal.
    changeSubscription(account, subscription, {
      ...cancellationAtEnd(account, subscription, true),
      cancel_at_period_end: false,
    });
  }
  return undefined;
}

function replaceCard(account: Account, customerId: string, number: string): string | undefined {
  const card = testCard(number);
  if (card === undefined) return "invalid_number";
  if (card.refusedAtOnce) return "card_declined";
  const { id } = attach(account, createCard(account, number).id, customerId);
  const customer = liveCustomer(account, customerId);
  changeCustomer(account, customer, {
    invoice_settings: { ...customer.invoice_settings, default_payment_method: id },
  });
  for (const subscription of livingSubscriptions(account.state, customerId)) {
    if (subscription.default_payment_method === null) continue;
    changeSubscription(account, subscription, { default_payment_method: id });
  }
  return undefined;
}
