import assert from "node:assert/strict";
import { startCheckout, type Wish } from "./checkouts.ts";
import { refusalIn, type Transaction, withTransaction } from "./connection.ts";
import { makeOrganization, type Organization } from "./organizations.ts";

/** Status, code and details of how a wish is refused. */
async function refused(sql: Transaction, organization: Organization, wish: Wish = {}) {
  const { sqlstate, code, details } = await refusalIn(
    sql,
    (sql) => startCheckout(sql, organization, wish),
  );
  return [sqlstate, code, details];
}

Deno.test("start_checkout() answers an unknown organization as it answers a foreign one", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql);
    const unknown = { ...organization, id: crypto.randomUUID() };
    const expected = ["PT403", "not_organization_admin", {}];

    assert.deepEqual(await refused(sql, unknown), expected);
    assert.deepEqual(await refused(sql, organization, { clerkOrgId: "org_other" }), expected);
  }));

Deno.test("start_checkout() refuses an organization that may not buy", () =>
  withTransaction(async (sql) => {
    const pending = await makeOrganization(sql, { status: "pending" });
    const suspended = await makeOrganization(sql, { status: "suspended" });
    const deleted = await makeOrganization(sql);
    await sql`update public.organizations set deleted_at = now() where id = ${deleted.id}`;

    assert.deepEqual(await refused(sql, pending), ["PT403", "organization_not_approved", {}]);
    assert.deepEqual(await refused(sql, suspended), ["PT403", "organization_suspended", {}]);
    assert.deepEqual(await refused(sql, deleted), ["PT404", "organization_not_found", {}]);
  }));

Deno.test("start_checkout() refuses a plan or period that is not sold, and names those that are", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql);

    assert.deepEqual(await refused(sql, organization, { plan: "gold" }), [
      "PT400",
      "unknown_plan",
      { plan: "gold", plans: ["pro", "max", "ultra"] },
    ]);
    assert.deepEqual(await refused(sql, organization, { billingPeriod: "weekly" }), [
      "PT400",
      "unknown_billing_period",
      { billingPeriod: "weekly", billingPeriods: ["monthly", "yearly"] },
    ]);
  }));

Deno.test("start_checkout() keeps to the plan's bounds, and names the plan that fits", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql);
    const pro = { plan: "pro", minSeats: 1, maxSeats: 20 };
    for (
      const [seats, fittingPlan] of [
        [21, "max"],
        [50, "max"],
        [51, "ultra"],
        [101, null],
        [0, null],
        [-1, null],
        [null, null],
      ] as const
    ) {
      assert.deepEqual(await refused(sql, organization, { seats }), [
        "PT422",
        "seats_out_of_bounds",
        { ...pro, seats, fittingPlan },
      ]);
    }
    const few = await refused(sql, organization, { plan: "ultra", seats: 20 });
    assert.deepEqual(few[2], {
      plan: "ultra",
      minSeats: 51,
      maxSeats: 100,
      seats: 20,
      fittingPlan: "pro",
    });
    for (const seats of [1, 20]) await startCheckout(sql, organization, { seats });
  }));

for (const status of ["incomplete", "trialing", "active", "past_due", "unpaid", "paused"]) {
  Deno.test(`start_checkout() refuses beside a subscription that is ${status}`, () =>
    withTransaction(async (sql) => {
      const organization = await makeOrganization(sql, { seats: 5 });
      await sql`
        update public.organization_subscriptions set status = ${status}
        where organization_id = ${organization.id}`;

      assert.deepEqual(await refused(sql, organization), ["PT409", "subscription_exists", {
        status,
        plan: "pro",
        purchasedSeats: 5,
        changeWith: "manage-seats",
      }]);
    }));
}

Deno.test("start_checkout() refuses fewer seats than are in use", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { members: 3, invitations: 2 });

    assert.deepEqual(await refused(sql, organization, { seats: 4 }), [
      "PT409",
      "seats_below_usage",
      { seats: 4, seatsUsed: 5 },
    ]);
    await startCheckout(sql, organization, { seats: 5 });
  }));
