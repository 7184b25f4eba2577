import assert from "node:assert/strict";
import type { Stripe } from "stripe";
import { withTransaction } from "./connection.ts";
import { numbersOf } from "./organizations.ts";
import { deliverStripeEvent } from "./stripe_deliveries.ts";
import {
  inState,
  second,
  stripeEvent,
  stripeInvoice,
  stripeSubscription,
} from "./stripe_events.ts";
import { makeBuyer, report } from "./stripe_reports.ts";

/** A subscription that goes on without seats: only the price of another product is left. */
function withoutSeats(subscription: Stripe.Subscription): Stripe.Subscription {
  const { items } = inState(subscription, { quantity: 50, lookupKey: "support" });
  return {
    ...subscription,
    latest_invoice: stripeInvoice(subscription, "paid"),
    items: { ...items, data: items.data.map((item) => ({ ...item, id: "si_support" })) },
  };
}

for (
  const [type, status] of [
    ["customer.subscription.updated", "active"],
    ["customer.subscription.deleted", "canceled"],
  ] as const
) {
  Deno.test(`${type} of a subscription that sells no seats any more takes them`, () =>
    withTransaction(async (sql) => {
      for (const metadata of [{}, { plan: "pro" }]) {
        const organization = await makeBuyer(sql);
        const subscription = stripeSubscription(organization, second(0), metadata);
        await report(sql, subscription, { quantity: 5 }, 0);

        const left = { ...withoutSeats(subscription), status };
        await deliverStripeEvent(
          sql,
          stripeEvent(type, left, second(10)),
          () => ({ readAt: second(10), subscription: left }),
        );

        const [shown] = await sql`
          select status, purchased_seats from public.organization_subscriptions
          where organization_id = ${organization.id}`;
        assert.deepEqual(shown, { status: "canceled", purchased_seats: 0 });
      }
    }));
}

Deno.test("a known subscription is followed whatever somebody writes into its metadata", () =>
  withTransaction(async (sql) => {
    const [organization, other] = [await makeBuyer(sql), await makeBuyer(sql)];
    const subscription = stripeSubscription(organization, second(0));
    await report(sql, subscription, { quantity: 5 }, 0);

    const moved = { ...subscription, metadata: { organization_id: other.id, plan: "pro" } };
    await report(sql, moved, { quantity: 2 }, 10);
    assert.equal((await numbersOf(sql, organization)).seatLimit, 2);

    await report(sql, moved, { quantity: 2, status: "canceled" }, 20);
    assert.equal((await numbersOf(sql, organization)).seatLimit, 0);
    assert.equal((await numbersOf(sql, other)).seatLimit, 0);
  }));
