import assert from "node:assert/strict";
import type { Purchase } from "../checkout.ts";
import type { Clients } from "../clients.ts";
import { createOrganization, type Organization, settled } from "../organizations.ts";
import { type Subscriber, subscriptionOf } from "./seats.ts";

/** What is bought on a test clock. */
export interface Order {
  readonly plan: string;
  readonly billingPeriod: string;
  readonly seats: number;
  /** Free of charge for so many days first. */
  readonly trialDays?: number;
}

/** An organization whose subscription lives on a test clock. */
export interface ClockedSubscriber extends Subscriber {
  readonly clock: string;
}

/** Creates an organization that buys seats at a moment, in seconds; the webhooks are settled. */
export async function createSubscriberAt(
  clients: Clients,
  at: number,
  order: Order,
): Promise<ClockedSubscriber> {
  const organization = await createOrganization(clients);
  const clock = await clients.stripe.testHelpers.testClocks.create({ frozen_time: at });
  const bought = await buyOn(clients, clock.id, organization, order);
  await settled(clients, bought.subscriptionId);
  return { ...organization, ...bought, clock: clock.id };
}

/** Buys the first seats on a test clock, as somebody in Stripe's dashboard would. */
async function buyOn(
  { stripe, admin }: Clients,
  clock: string,
  { id, clerkId }: Pick<Organization, "id" | "clerkId">,
  { plan, billingPeriod, seats, trialDays }: Order,
): Promise<Purchase> {
  const customer = await stripe.customers.create({
    test_clock: clock,
    payment_method: "pm_card_visa",
    invoice_settings: { default_payment_method: "pm_card_visa" },
    metadata: { organization_id: id },
  });
  await admin.rpc("attach_stripe_customer", {
    p_organization_id: id,
    p_stripe_customer_id: customer.id,
    p_actor: clerkId,
  }).throwOnError();
  const { data: [price] } = await stripe.prices.list({
    lookup_keys: [`seatkeeper_${plan}_${billingPeriod}`],
  });
  const subscription = await stripe.subscriptions.create({
    customer: customer.id,
    items: [{ price: price?.id ?? "", quantity: seats }],
    metadata: { organization_id: id, plan, billing_period: billingPeriod },
    ...(trialDays === undefined ? {} : { trial_period_days: trialDays }),
  });
  const itemId = subscription.items.data[0]?.id ?? "";
  return { sessionId: "", customerId: customer.id, subscriptionId: subscription.id, itemId };
}

/** Lets a subscriber's time pass until a moment, in seconds. */
export async function advanceTo(
  { stripe }: Clients,
  { clock }: Pick<ClockedSubscriber, "clock">,
  until: number,
): Promise<void> {
  const { testClocks } = stripe.testHelpers;
  await testClocks.advance(clock, { frozen_time: until });
  assert.equal((await testClocks.retrieve(clock)).status, "ready");
}

/** The current period of a subscription, in seconds. */
export async function periodOf(
  clients: Clients,
  subscriber: Pick<Purchase, "subscriptionId">,
): Promise<{ start: number; end: number }> {
  const { subscription: { items: { data: [item] } } } = await subscriptionOf(clients, subscriber);
  assert(item !== undefined);
  return { start: item.current_period_start, end: item.current_period_end };
}
