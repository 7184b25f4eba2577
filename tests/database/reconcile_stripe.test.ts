import assert from "node:assert/strict";
import type { Stripe } from "stripe";
import { startCheckout, stateOf } from "./checkouts.ts";
import { type Transaction, withTransaction } from "./connection.ts";
import { makeOrganization, numbersOf, type Organization } from "./organizations.ts";
import { applyStripeEvent, attachCustomer, deliverStripeEvent } from "./stripe_deliveries.ts";
import {
  inState,
  second,
  stripeEvent,
  stripeInvoice,
  stripeSubscription,
  type SubscriptionState,
} from "./stripe_events.ts";
import { report } from "./stripe_reports.ts";
import { sync } from "./sync_leases.ts";

async function queuedBuyer(sql: Transaction): Promise<Organization> {
  const organization = await makeOrganization(sql, { queued: true });
  await attachCustomer(sql, organization);
  return organization;
}

/** A subscription in Stripe's list: with its latest invoice, which is paid unless told otherwise. */
function listed(subscription: Stripe.Subscription, state: SubscriptionState): Stripe.Subscription {
  return inState(subscription, { latestInvoice: stripeInvoice(subscription, "paid"), ...state });
}

/** Fails unless a first sync finds exactly this, and a second one nothing. */
async function assertRepaired(
  sql: Transaction,
  organization: Organization,
  subscriptions: readonly object[],
  drift: readonly unknown[],
  seats: number,
): Promise<void> {
  const stripe = { readAt: second(3600), subscriptions };
  assert.deepEqual(await sync(sql, organization, null, stripe), drift);
  assert.equal((await numbersOf(sql, organization)).seatLimit, seats);
  assert.deepEqual(await sync(sql, organization, null, stripe), []);
}

Deno.test("a subscription that agrees is no drift", () =>
  withTransaction(async (sql) => {
    const organization = await queuedBuyer(sql);
    const subscription = stripeSubscription(organization, second(0));
    await report(sql, subscription, { quantity: 5 }, 0);

    await assertRepaired(sql, organization, [listed(subscription, { quantity: 5 })], [], 5);
  }));

Deno.test("a purchase of which every event was lost is found, its intent completed", () =>
  withTransaction(async (sql) => {
    const organization = await queuedBuyer(sql);
    const { seatChangeId } = await startCheckout(sql, organization);
    const subscription = stripeSubscription(organization, second(0), {
      organization_id: organization.id,
      seat_change_id: seatChangeId,
      plan: "pro",
    });

    await assertRepaired(sql, organization, [listed(subscription, { quantity: 5 })], [
      { kind: "subscription", id: subscription.id, was: "unknown", is: "active 5" },
    ], 5);

    assert.equal(await stateOf(sql, seatChangeId), "completed");
  }));

Deno.test("a change of which the event was lost is found", () =>
  withTransaction(async (sql) => {
    const organization = await queuedBuyer(sql);
    const subscription = stripeSubscription(organization, second(0));
    await report(sql, subscription, { quantity: 5 }, 0);

    await assertRepaired(sql, organization, [listed(subscription, { quantity: 8 })], [
      { kind: "subscription", id: subscription.id, was: "active 5", is: "active 8" },
    ], 8);
  }));

Deno.test("an end of which the event was lost is found", () =>
  withTransaction(async (sql) => {
    const organization = await queuedBuyer(sql);
    const subscription = stripeSubscription(organization, second(0));
    await report(sql, subscription, { quantity: 5 }, 0);
    const ended = listed(subscription, { quantity: 5, status: "canceled" });

    await assertRepaired(sql, organization, [ended], [
      { kind: "subscription", id: subscription.id, was: "active 5", is: "canceled 0" },
    ], 0);
  }));

Deno.test("a subscription that Stripe does not list is none", () =>
  withTransaction(async (sql) => {
    const organization = await queuedBuyer(sql);
    const subscription = stripeSubscription(organization, second(0));
    await report(sql, subscription, { quantity: 5 }, 0);

    await assertRepaired(sql, organization, [], [
      { kind: "subscription", id: subscription.id, was: "alive", is: "unknown to Stripe" },
    ], 0);
  }));

Deno.test("purchased_seats that somebody has written are Stripe's again", () =>
  withTransaction(async (sql) => {
    const organization = await queuedBuyer(sql);
    const subscription = stripeSubscription(organization, second(0));
    await report(sql, subscription, { quantity: 5 }, 0);
    await sql`
      update public.organization_subscriptions set purchased_seats = 500, renewal_seats = 500
      where organization_id = ${organization.id}`;

    await assertRepaired(sql, organization, [listed(subscription, { quantity: 5 })], [
      { kind: "seats", id: subscription.id, was: "500", is: "5" },
    ], 5);
  }));

Deno.test("a payment of which the event was lost is found", () =>
  withTransaction(async (sql) => {
    const organization = await queuedBuyer(sql);
    const subscription = stripeSubscription(organization, second(0));
    const latestInvoice = stripeInvoice(subscription, "open");
    const unpaid = { quantity: 5, latestInvoice };
    await report(sql, subscription, unpaid, 0);
    await assertRepaired(sql, organization, [listed(subscription, unpaid)], [], 0);

    await assertRepaired(sql, organization, [listed(subscription, { quantity: 5 })], [
      { kind: "subscription", id: subscription.id, was: "active 0", is: "active 5" },
    ], 5);
  }));

Deno.test("a checkout that was left before the payment is no drift", () =>
  withTransaction(async (sql) => {
    const organization = await queuedBuyer(sql);
    const subscription = stripeSubscription(organization, second(0));
    const state = {
      quantity: 5,
      status: "incomplete",
      latestInvoice: stripeInvoice(subscription, "open"),
    } as const;
    await report(sql, subscription, state, 0);

    await assertRepaired(sql, organization, [listed(subscription, state)], [], 0);
  }));

Deno.test("of a customer's subscriptions the one that is alive counts, what sells no seats doesn't", () =>
  withTransaction(async (sql) => {
    const organization = await queuedBuyer(sql);
    const former = stripeSubscription(organization, second(0));
    const current = stripeSubscription(organization, second(60));
    const support = stripeSubscription(organization, second(90), {});
    await report(sql, former, { quantity: 5, status: "canceled" }, 0);

    await assertRepaired(sql, organization, [
      listed(support, { quantity: 70, lookupKey: "support_monthly" }),
      listed(current, { quantity: 6 }),
      listed(former, { quantity: 5, status: "canceled" }),
    ], [
      { kind: "subscription", id: current.id, was: "unknown", is: "active 6" },
    ], 6);
  }));

Deno.test("an event from before a sync does not overwrite what the sync has read", () =>
  withTransaction(async (sql) => {
    const organization = await queuedBuyer(sql);
    const subscription = stripeSubscription(organization, second(0));
    const now = listed(subscription, { quantity: 8 });
    await sync(sql, organization, null, { readAt: second(3600), subscriptions: [now] });
    const late = stripeEvent(
      "customer.subscription.updated",
      inState(subscription, { quantity: 5 }),
      second(60),
    );

    assert.equal((await applyStripeEvent(sql, late)).outcome, "ask_stripe");
    await deliverStripeEvent(sql, late, () => ({ readAt: second(3601), subscription: now }));

    assert.equal((await numbersOf(sql, organization)).seatLimit, 8);
  }));
