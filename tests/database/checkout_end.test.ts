import assert from "node:assert/strict";
import type { Stripe } from "stripe";
import { startCheckout, stateOf } from "./checkouts.ts";
import { only, type Transaction, withTransaction } from "./connection.ts";
import type { Organization } from "./organizations.ts";
import { applyStripeEvent } from "./stripe_deliveries.ts";
import { second, stripeEvent, stripeSession } from "./stripe_events.ts";
import { makeBuyer } from "./stripe_reports.ts";

/** Has Stripe report how the session behind an intent has ended. */
async function end(
  sql: Transaction,
  organization: Organization,
  seatChangeId: string,
  type: Stripe.Event.Type,
  ending: Partial<Stripe.Checkout.Session> = {},
) {
  const session = stripeSession(organization, null, {
    created: second(0),
    metadata: { organization_id: organization.id, seat_change_id: seatChangeId },
    ...ending,
  });
  await applyStripeEvent(sql, stripeEvent(type, session, second(60)));
  return session.id;
}

for (
  const [name, state, endings] of [
    ["paid", "completed", [["checkout.session.completed", "paid"]]],
    ["complete, free of charge", "completed", [
      ["checkout.session.completed", "no_payment_required"],
    ]],
    ["complete but unpaid", "awaiting_payment", [["checkout.session.completed", "unpaid"]]],
    ["left", "expired", [["checkout.session.expired", "unpaid"]]],
    ["paid late", "completed", [
      ["checkout.session.completed", "unpaid"],
      ["checkout.session.async_payment_succeeded", "paid"],
    ]],
    ["paid late, in the other order", "completed", [
      ["checkout.session.async_payment_succeeded", "paid"],
      ["checkout.session.completed", "unpaid"],
    ]],
    ["never paid", "failed", [
      ["checkout.session.completed", "unpaid"],
      ["checkout.session.async_payment_failed", "unpaid"],
    ]],
    ["never paid, in the other order", "failed", [
      ["checkout.session.async_payment_failed", "unpaid"],
      ["checkout.session.completed", "unpaid"],
    ]],
  ] as const
) {
  Deno.test(`an intent whose session is ${name} is ${state}`, () =>
    withTransaction(async (sql) => {
      const organization = await makeBuyer(sql);
      const { seatChangeId } = await startCheckout(sql, organization);

      for (const [type, payment_status] of endings) {
        await end(sql, organization, seatChangeId, type, { payment_status });
      }

      assert.equal(await stateOf(sql, seatChangeId), state);
    }));
}

Deno.test("a superseded intent that is paid after all is completed, under its own session", () =>
  withTransaction(async (sql) => {
    const organization = await makeBuyer(sql);
    const first = await startCheckout(sql, organization);
    const next = await startCheckout(sql, organization, { seats: 6 });

    const session = await end(
      sql,
      organization,
      first.seatChangeId,
      "checkout.session.completed",
    );

    assert.equal(await stateOf(sql, first.seatChangeId), "completed");
    assert.equal(await stateOf(sql, next.seatChangeId), "open");
    const rows = await sql`
      select stripe_checkout_session_id as session from public.seat_changes
      where id = ${first.seatChangeId}`;
    assert.equal(only(rows)["session"], session);
  }));

Deno.test("the intent of another organization is left alone", () =>
  withTransaction(async (sql) => {
    const paying = await makeBuyer(sql);
    const other = await makeBuyer(sql);
    const { seatChangeId } = await startCheckout(sql, other);

    await end(sql, paying, seatChangeId, "checkout.session.completed");
    await end(sql, paying, "not a uuid", "checkout.session.completed");

    assert.equal(await stateOf(sql, seatChangeId), "open");
  }));
