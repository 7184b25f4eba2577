import assert from "node:assert/strict";
import { type Answer, callFunction, functionsOf } from "./api.ts";
import type { Clients } from "./clients.ts";
import { type Organization, settled } from "./organizations.ts";

const NAME = "create-seat-checkout-session";

/** What `create-seat-checkout-session` answers. */
export interface OpenedCheckout {
  readonly url: string;
  readonly sessionId: string;
}

/** What differs from a wish for 5 seats of plan pro, monthly; right or wrong. */
export type Wish = Readonly<Record<string, unknown>>;

/** One click on "buy" by the organization's admin, whatever comes of it. */
export function clickBuy(
  clients: Clients,
  { id, token }: Pick<Organization, "id" | "token">,
  wish: Wish = {},
  base = functionsOf(clients),
): Promise<Answer<OpenedCheckout>> {
  return callFunction<OpenedCheckout>(base, NAME, {
    token,
    body: { organizationId: id, plan: "pro", seats: 5, billingPeriod: "monthly", ...wish },
  });
}

/** A click on "buy" that leads to Stripe Checkout. */
export async function openCheckout(
  clients: Clients,
  organization: Organization,
  wish: Wish = {},
): Promise<OpenedCheckout> {
  const answer = await clickBuy(clients, organization, wish);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body;
}

/** What a purchase led to in Stripe. */
export interface Purchase {
  readonly sessionId: string;
  readonly customerId: string;
  readonly subscriptionId: string;
  /** The subscription's item. */
  readonly itemId: string;
}

/** Buys seats and pays for them on the hosted page; the webhooks are settled. */
export async function buySeats(
  clients: Clients,
  organization: Organization,
  wish: Wish = {},
): Promise<Purchase> {
  const { sessionId } = await openCheckout(clients, organization, wish);
  await clients.stripeControl.payCheckout(sessionId);
  await settled(clients, organization.id);
  return await purchaseOf(clients, sessionId);
}

/** What a paid session led to in Stripe. */
export async function purchaseOf({ stripe }: Clients, sessionId: string): Promise<Purchase> {
  const { customer, subscription } = await stripe.checkout.sessions.retrieve(sessionId, {
    expand: ["subscription"],
  });
  assert(typeof subscription === "object" && subscription !== null, "There is no subscription");
  const itemId = subscription.items.data[0]?.id;
  assert(typeof customer === "string" && itemId !== undefined);
  return { sessionId, customerId: customer, subscriptionId: subscription.id, itemId };
}

/** Changes the quantity as someone in Stripe's dashboard does; the webhooks are settled. */
export async function changeQuantity(
  clients: Clients,
  { subscriptionId, itemId }: Purchase,
  quantity: number,
): Promise<void> {
  await clients.stripe.subscriptions.update(subscriptionId, { items: [{ id: itemId, quantity }] });
  await settled(clients, subscriptionId);
}
