import assert from "node:assert/strict";
import type { Stripe } from "stripe";
import { only, type Transaction, withConnections, withTransaction } from "./connection.ts";
import { numbersOf, type Organization } from "./organizations.ts";
import {
  applyStripeEvent,
  deliverStripeEvent,
  type Reading,
  silence,
} from "./stripe_deliveries.ts";
import {
  inState,
  second,
  type StripeEvent,
  stripeEvent,
  stripeInvoice,
  stripeSubscription,
} from "./stripe_events.ts";
import { makeBuyer, report } from "./stripe_reports.ts";

/** A buyer, and the subscription that he comes to have. */
async function beginning(sql: Transaction, members = 0) {
  const organization = await makeBuyer(sql, members);
  return { organization, subscription: stripeSubscription(organization, second(0)) };
}

/** An event that says what the quantity has become. */
function updateTo(subscription: Stripe.Subscription, quantity: number, at: number): StripeEvent {
  const state = inState(subscription, { quantity });
  return stripeEvent("customer.subscription.updated", state, second(at));
}

async function subscriptionOf(sql: Transaction, { id }: Organization) {
  const rows = await sql`
    select status, plan, seat_billing_period, purchased_seats, renewal_seats, cancel_at_period_end,
      current_period_end
    from public.organization_subscriptions where organization_id = ${id}`;
  return { ...only(rows) };
}

Deno.test("a paid subscription gives its quantity as seats, with its plan and period", () =>
  withTransaction(async (sql) => {
    const begun = await beginning(sql);
    const { organization, subscription } = begun;

    const answer = await report(sql, begun.subscription, { quantity: 5 }, 0);

    assert.deepEqual(answer, {
      outcome: "applied",
      organizationId: organization.id,
      seatLimit: 5,
      seatsUsed: 0,
      pushLimit: true,
    });
    const [item] = subscription.items.data;
    assert.deepEqual(await subscriptionOf(sql, organization), {
      status: "active",
      plan: "pro",
      seat_billing_period: "monthly",
      purchased_seats: 5,
      renewal_seats: 5,
      cancel_at_period_end: false,
      current_period_end: new Date((item?.current_period_end ?? 0) * 1000),
    });
  }));

for (
  const [status, seats] of [
    ["active", 5],
    ["trialing", 5],
    ["past_due", 5],
    ["unpaid", 0],
    ["canceled", 0],
    ["incomplete", 0],
    ["incomplete_expired", 0],
    ["paused", 0],
  ] as const
) {
  Deno.test(`a subscription that is ${status} gives ${seats} of 5 seats`, () =>
    withTransaction(async (sql) => {
      const begun = await beginning(sql);
      await report(sql, begun.subscription, { quantity: 5 }, 0);

      await report(sql, begun.subscription, { quantity: 5, status }, 10);

      assert.equal((await numbersOf(sql, begun.organization)).seatLimit, seats);
      assert.equal((await subscriptionOf(sql, begun.organization))["status"], status);
    }));
}

Deno.test("a change in Stripe's dashboard lands: quantity, plan, and the end at the period's end", () =>
  withTransaction(async (sql) => {
    const begun = await beginning(sql);
    await report(sql, begun.subscription, { quantity: 5 }, 0);

    await report(sql, begun.subscription, {
      quantity: 30,
      lookupKey: "seatkeeper_max_yearly",
      cancelAtPeriodEnd: true,
    }, 10);

    const { current_period_end: _, ...subscription } = await subscriptionOf(
      sql,
      begun.organization,
    );
    assert.deepEqual(subscription, {
      status: "active",
      plan: "max",
      seat_billing_period: "yearly",
      purchased_seats: 30,
      renewal_seats: 30,
      cancel_at_period_end: true,
    });
  }));

Deno.test("a subscriber on a price that has been replaced keeps plan and seats", () =>
  withTransaction(async (sql) => {
    const begun = await beginning(sql);
    await report(sql, begun.subscription, { quantity: 30, lookupKey: "seatkeeper_max_monthly" }, 0);

    await report(sql, begun.subscription, { quantity: 40, lookupKey: null }, 10);

    const { plan, purchased_seats } = await subscriptionOf(sql, begun.organization);
    assert.deepEqual([plan, purchased_seats], ["max", 40]);
  }));

Deno.test("fewer seats than are taken are recorded, and said once", () =>
  withTransaction(async (sql) => {
    const begun = await beginning(sql, 4);
    assert.equal((await report(sql, begun.subscription, { quantity: 5 }, 0)).alert, undefined);

    const lowered = await report(sql, begun.subscription, { quantity: 3 }, 10);
    const again = await report(sql, begun.subscription, { quantity: 2 }, 20);

    assert.deepEqual([lowered.seatLimit, lowered.seatsUsed], [3, 4]);
    assert.equal(lowered.alert, "over_capacity");
    assert.equal(again.alert, undefined);
    assert.equal((await numbersOf(sql, begun.organization)).overCapacity, true);
  }));

Deno.test("a stale event changes nothing and says so", () =>
  withTransaction(async (sql) => {
    const begun = await beginning(sql);
    await report(sql, begun.subscription, { quantity: 5 }, 0);
    await report(sql, begun.subscription, { quantity: 7 }, 60);

    const event = updateTo(begun.subscription, 6, 30);
    const { outcome } = await applyStripeEvent(sql, event);

    assert.equal(outcome, "stale");
    assert.equal((await numbersOf(sql, begun.organization)).seatLimit, 7);
    const [row] = await sql`
      select outcome from private.webhook_events where event_id = ${event.id}`;
    assert.equal(row?.["outcome"], "stale");
  }));

Deno.test("two events of one second are settled by asking Stripe", () =>
  withTransaction(async (sql) => {
    const begun = await beginning(sql);
    const { organization, subscription } = begun;
    await report(sql, begun.subscription, { quantity: 5 }, 0);
    await report(sql, begun.subscription, { quantity: 7 }, 60);
    const event = updateTo(subscription, 6, 60);

    const asking = await applyStripeEvent(sql, event);

    assert.deepEqual(asking, {
      outcome: "ask_stripe",
      subscriptionId: subscription.id,
      version: asking.version,
    });
    assert.equal((await numbersOf(sql, organization)).seatLimit, 7);
    const ledger = await sql`select from private.webhook_events where event_id = ${event.id}`;
    assert.equal(ledger.length, 0);
    const reading = readingOf(begun.subscription, 6, 61);
    assert.equal((await deliverStripeEvent(sql, event, () => reading)).seatLimit, 6);
  }));

function readingOf(subscription: Stripe.Subscription, quantity: number, at: number): Reading {
  const latestInvoice = stripeInvoice(subscription, "paid");
  return { readAt: second(at), subscription: inState(subscription, { quantity, latestInvoice }) };
}

Deno.test("an answer of Stripe's that others have overtaken is asked for again", () =>
  withTransaction(async (sql) => {
    const begun = await beginning(sql);
    await report(sql, begun.subscription, { quantity: 5 }, 0);
    await report(sql, begun.subscription, { quantity: 7 }, 60);
    const event = updateTo(begun.subscription, 6, 60);
    const { version = 0 } = await applyStripeEvent(sql, event);
    await report(sql, begun.subscription, { quantity: 9 }, 120);

    const late = await applyStripeEvent(sql, event, {
      version,
      ...readingOf(begun.subscription, 6, 60),
    });

    assert.equal(late.outcome, "ask_stripe");
    assert.notEqual(late.version, version);
    const silent = await applyStripeEvent(sql, event, { version, ...silence() });
    assert.equal(silent.outcome, "ask_stripe");
    assert.equal((await numbersOf(sql, begun.organization)).seatLimit, 9);
  }));

Deno.test("an event about a failed payment has Stripe asked how the subscription is now", () =>
  withTransaction(async (sql) => {
    const begun = await beginning(sql);
    const { organization, subscription } = begun;
    await report(sql, begun.subscription, { quantity: 5 }, 0);
    const invoice = stripeInvoice(subscription, "open", "subscription_cycle");

    await deliverStripeEvent(
      sql,
      stripeEvent("invoice.payment_failed", invoice, second(60)),
      () => ({
        readAt: second(60),
        subscription: inState(subscription, {
          quantity: 5,
          status: "unpaid",
          latestInvoice: invoice,
        }),
      }),
    );

    assert.equal((await numbersOf(sql, organization)).seatLimit, 0);
    assert.equal((await subscriptionOf(sql, organization))["status"], "unpaid");
  }));

Deno.test("one event on 32 connections at once has one effect", () =>
  withConnections(32, async (connections) => {
    const [observer] = connections;
    const organization = await observer.begin((sql) => makeBuyer(sql));
    const subscription = stripeSubscription(organization, second(0));
    const latestInvoice = stripeInvoice(subscription, "paid");
    const state = inState(subscription, { quantity: 5, latestInvoice });
    const event = stripeEvent(
      "customer.subscription.created",
      inState(subscription, { quantity: 5 }),
      second(0),
    );

    const outcomes = await Promise.all(
      connections.map((sql) =>
        deliverStripeEvent(sql, event, () => ({ readAt: second(0), subscription: state }))
      ),
    );

    assert.equal(outcomes.filter(({ outcome }) => outcome === "applied").length, 1);
    assert.equal(outcomes.filter(({ outcome }) => outcome === "duplicate").length, 31);
    assert.equal((await numbersOf(observer, organization)).seatLimit, 5);
    const booked = await observer`
      select after from public.billing_changes
      where cause = ${event.id} and kind = 'subscription'`;
    assert.equal(booked.length, 1);
  }));
