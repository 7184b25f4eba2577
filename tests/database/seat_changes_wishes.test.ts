import assert from "node:assert/strict";
import { withTransaction } from "./connection.ts";
import { makeOrganization } from "./organizations.ts";
import {
  applySubscriptionEvent,
  second,
  subscribe,
  subscribed,
  subscriptionEvent,
} from "./paid_subscriptions.ts";
import { assertRefused, refused } from "./seat_change_refusals.ts";
import { makeChange, refuseChange, startChange } from "./seat_changes.ts";

Deno.test("a plan or period that is not sold is refused with those that are", () =>
  withTransaction(async (sql) => {
    const { organization } = await subscribed(sql);
    await assertRefused(sql, organization, { seats: 12, plan: "huge" }, 400, "unknown_plan", {
      plan: "huge",
      plans: ["pro", "max", "ultra"],
    });
    const weekly = { seats: 12, billingPeriod: "weekly" };
    await assertRefused(sql, organization, weekly, 400, "unknown_billing_period", {
      billingPeriod: "weekly",
      billingPeriods: ["monthly", "yearly"],
    });
  }));

for (
  const [wish, plan, minSeats, maxSeats, fittingPlan] of [
    [{ seats: 21 }, "pro", 1, 20, "max"],
    [{ seats: 51 }, "pro", 1, 20, "ultra"],
    [{ seats: 101 }, "pro", 1, 20, null],
    [{ seats: 0 }, "pro", 1, 20, null],
    [{ seats: -1 }, "pro", 1, 20, null],
    [{ seats: null }, "pro", 1, 20, null],
    [{ seats: 20, plan: "max" }, "max", 21, 50, "pro"],
  ] as const
) {
  Deno.test(`${wish.seats} seats of plan ${plan} are refused with the plan that fits`, () =>
    withTransaction(async (sql) => {
      const { organization } = await subscribed(sql);
      const details = { plan, seats: wish.seats, minSeats, maxSeats, fittingPlan };
      await assertRefused(sql, organization, wish, 422, "seats_out_of_bounds", details);
    }));
}

Deno.test("fewer seats than are in use are refused, and as many are not", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { members: 4, invitations: 2 });
    await subscribe(sql, organization);
    const details = { seats: 5, seatsUsed: 6 };
    for (const wish of [{ seats: 5 }, { seats: 5, billingPeriod: "yearly" }]) {
      await assertRefused(sql, organization, wish, 409, "seats_below_usage", details);
    }
    assert.equal((await startChange(sql, organization, { seats: 6 })).state, "open");
  }));

Deno.test("what is so already is nothing to change", () =>
  withTransaction(async (sql) => {
    const { organization, subscription } = await subscribed(sql);
    for (const wish of [{ seats: 10 }, { seats: 10, plan: "pro", billingPeriod: "monthly" }]) {
      await assertRefused(sql, organization, wish, 409, "nothing_to_change");
    }
    await makeChange(sql, organization, { seats: 6 }, subscription);
    await assertRefused(sql, organization, { seats: 6 }, 409, "nothing_to_change");
  }));

Deno.test("a lower plan comes alone", () =>
  withTransaction(async (sql) => {
    const { organization } = await subscribed(sql, { plan: "max", quantity: 30 });
    const wish = { seats: 15, plan: "pro", billingPeriod: "yearly" };
    const details = { plan: "pro", seatsBefore: 30 };
    await assertRefused(sql, organization, wish, 422, "downgrade_alone", details);
  }));

Deno.test("a moment to prorate from is of the last hour and of this period", () =>
  withTransaction(async (sql) => {
    const { organization, subscription } = await subscribed(sql);
    const at = (seconds: number) => new Date(second(seconds) * 1000).toISOString();
    const now = at(0);
    for (const seconds of [-3601, 61, 86_400]) {
      const wish = { seats: 12, now, prorationDate: at(seconds) };
      const { sqlstate, code } = await refused(sql, organization, wish);
      assert.deepEqual([sqlstate, code], ["PT422", "proration_date_out_of_range"]);
    }
    // Half an hour into a period the last one is near enough, and is another price.
    const late = { now: at(1800), seats: 12 };
    const begun = { ...subscription, periodStart: second(0), periodEnd: second(86_400) };
    await applySubscriptionEvent(sql, subscriptionEvent(begun, second(0)));
    const of = { ...late, prorationDate: at(-1) };
    assert.equal((await refused(sql, organization, of)).code, "proration_date_out_of_range");
    for (const seconds of [0, 1860]) {
      await sql.savepoint(async (sql) => {
        const wish = { ...late, prorationDate: at(seconds) };
        const { prorationDate, seatChangeId } = await startChange(sql, organization, wish);
        assert.equal(prorationDate, second(seconds));
        await refuseChange(sql, { seatChangeId });
      });
    }
    const { prorationDate } = await startChange(sql, organization, late);
    assert.equal(prorationDate, second(1800));
  }));
