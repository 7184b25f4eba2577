import assert from "node:assert/strict";
import type { Stripe } from "stripe";
import { type Emulation, prices } from "./emulation.ts";

/** Opens a session for 5 seats of a new customer, unless said otherwise. */
export async function openSession(
  { stripe }: Pick<Emulation, "stripe">,
  more: Partial<Stripe.Checkout.SessionCreateParams> = {},
): Promise<Stripe.Checkout.Session> {
  const { monthly: price } = await prices(stripe);
  const known = more.customer_email === undefined
    ? { customer: (await stripe.customers.create({ email: "owner@example.com" })).id }
    : {};
  return await stripe.checkout.sessions.create({
    mode: "subscription",
    line_items: [{ price, quantity: 5 }],
    success_url: "http://127.0.0.1:3000/done?session={CHECKOUT_SESSION_ID}",
    cancel_url: "http://127.0.0.1:3000/left?a=1&b=2",
    client_reference_id: "org_1",
    metadata: { seat_change_id: "change_1" },
    subscription_data: { metadata: { organization_id: "org_1" } },
    ...known,
    ...more,
  });
}

/** The subscription that a session has made, with its latest invoice. */
export async function subscriptionOf(
  stripe: Stripe,
  sessionId: string,
): Promise<Stripe.Subscription> {
  const session = await stripe.checkout.sessions.retrieve(sessionId, {
    expand: ["subscription.latest_invoice"],
  });
  assert(session.subscription !== null && typeof session.subscription === "object");
  return session.subscription;
}
