import assert from "node:assert/strict";
import { only, withTransaction } from "./connection.ts";
import { applyStripeEvent, silence } from "./stripe_deliveries.ts";
import {
  inState,
  second,
  stripeEvent,
  stripeInvoice,
  stripeSubscription,
} from "./stripe_events.ts";
import { makeBuyer } from "./stripe_reports.ts";

/*
 * An endpoint keeps the version of the API that it was made with. Before 2025-03-31 the period stood
 * on the subscription, and an invoice named its subscription directly (Stripe: API changelog, basil).
 */

Deno.test("events of an older version of the API say the same", () =>
  withTransaction(async (sql) => {
    const organization = await makeBuyer(sql);
    const subscription = inState(stripeSubscription(organization, second(0)), { quantity: 5 });
    const { items, ...rest } = subscription;
    const periods = items.data.map(({ current_period_start, current_period_end }) => ({
      current_period_start,
      current_period_end,
    }));
    const { current_period_start, current_period_end } = only(periods);
    const older = items.data.map(({ current_period_start: _, current_period_end: __, ...item }) =>
      item
    );
    const { parent: _, ...invoice } = stripeInvoice(subscription, "paid");
    const events = [
      {
        ...stripeEvent("invoice.paid", subscription, second(0)),
        data: { object: { ...invoice, subscription: subscription.id } },
      },
      {
        ...stripeEvent("customer.subscription.created", subscription, second(0)),
        data: {
          object: {
            ...rest,
            items: { ...items, data: older },
            cancel_at: current_period_end,
            current_period_start,
            current_period_end,
          },
        },
      },
    ];
    for (const event of events) {
      const { outcome, version = 0 } = await applyStripeEvent(sql, event);
      if (outcome === "ask_stripe") await applyStripeEvent(sql, event, { version, ...silence() });
    }

    const rows = await sql`
      select purchased_seats, current_period_end, cancel_at_period_end, first_payment
      from public.organization_subscriptions
      join private.stripe_subscriptions using (organization_id, current_period_end, cancel_at_period_end)
      where organization_id = ${organization.id}`;
    assert.deepEqual({ ...only(rows) }, {
      purchased_seats: 5,
      current_period_end: new Date(current_period_end * 1000),
      cancel_at_period_end: true,
      first_payment: "paid",
    });
  }));
