import assert from "node:assert/strict";
import type Stripe from "stripe";
import { openCheckout } from "../checkout.ts";
import type { Clients } from "../clients.ts";
import type { Organization } from "../organizations.ts";

/** The price under a lookup key. */
export async function priceOf({ stripe }: Clients, lookupKey: string): Promise<string> {
  const { data: [price] } = await stripe.prices.list({ lookup_keys: [lookupKey] });
  assert(price !== undefined, `There is no price ${lookupKey}`);
  return price.id;
}

/** The Stripe customer of an organization, made by a checkout that is then left. */
export async function customerOf(clients: Clients, organization: Organization): Promise<string> {
  const { sessionId } = await openCheckout(clients, organization);
  const { customer } = await clients.stripe.checkout.sessions.expire(sessionId);
  assert(typeof customer === "string");
  return customer;
}

/** Subscribes an organization to 4 seats of plan pro, in Stripe's dashboard. */
export async function subscribe(
  clients: Clients,
  organization: Organization,
  more: Partial<Stripe.SubscriptionCreateParams> = {},
): Promise<Stripe.Subscription> {
  return await clients.stripe.subscriptions.create({
    customer: await customerOf(clients, organization),
    items: [{ price: await priceOf(clients, "seatkeeper_pro_monthly"), quantity: 4 }],
    ...more,
  });
}
