import assert from "node:assert/strict";
import { setOrganizationStatus } from "./commands.ts";
import { withTransaction } from "./connection.ts";
import { makeOrganization, setSeats } from "./organizations.ts";
import { subscribed } from "./paid_subscriptions.ts";
import { randomId } from "./random_id.ts";
import { assertRefused, refused } from "./seat_change_refusals.ts";
import { makeChange, settleChange, standingOf, startChange } from "./seat_changes.ts";

for (
  const [what, clerkOrgId] of [
    ["another organization", "org_other"],
    ["no organization", null],
  ] as const
) {
  Deno.test(`whoever comes with a token for ${what} changes nothing`, () =>
    withTransaction(async (sql) => {
      const { organization } = await subscribed(sql);
      const wish = { seats: 12, clerkOrgId };
      await assertRefused(sql, organization, wish, 403, "not_organization_admin");
    }));
}

Deno.test("an organization that nobody knows is not told from that of others", () =>
  withTransaction(async (sql) => {
    const nowhere = { id: crypto.randomUUID(), clerkOrgId: randomId("org") };
    await assertRefused(sql, nowhere, { seats: 12 }, 403, "not_organization_admin");
  }));

for (
  const [status, code] of [
    ["pending", "organization_not_approved"],
    ["suspended", "organization_suspended"],
  ] as const
) {
  Deno.test(`an organization that is ${status} changes nothing`, () =>
    withTransaction(async (sql) => {
      const { organization } = await subscribed(sql);
      await setOrganizationStatus(sql, organization, status);
      await assertRefused(sql, organization, { seats: 12 }, 403, code);
    }));
}

Deno.test("an organization that is deleted changes nothing", () =>
  withTransaction(async (sql) => {
    const { organization } = await subscribed(sql);
    await sql`
      update public.organizations set deleted_at = clock_timestamp()
      where id = ${organization.id}`;
    await assertRefused(sql, organization, { seats: 12 }, 404, "organization_not_found");
  }));

Deno.test("without a subscription there is nothing to change", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql);
    const details = { status: "none", buyWith: "create-seat-checkout-session" };
    await assertRefused(sql, organization, { seats: 5 }, 409, "no_subscription", details);

    await sql`select public.grant_seats(${organization.id}, 5, 'a friend', 'user_operator')`;
    await assertRefused(sql, organization, { seats: 6 }, 409, "no_subscription", details);
  }));

for (const status of ["canceled", "incomplete", "incomplete_expired", "paused"]) {
  Deno.test(`a subscription that is ${status} cannot be changed`, () =>
    withTransaction(async (sql) => {
      const details = { status, buyWith: "create-seat-checkout-session" };
      for (const quantity of [10, 0]) {
        const { organization } = await subscribed(sql, { status, quantity });
        await assertRefused(sql, organization, { seats: 12 }, 409, "no_subscription", details);
      }
    }));
}

for (const status of ["trialing", "past_due"]) {
  Deno.test(`a subscription that is ${status} can give seats back`, () =>
    withTransaction(async (sql) => {
      const { organization } = await subscribed(sql, { status });
      assert.equal((await startChange(sql, organization, { seats: 6 })).kind, "renewal");
    }));
}

Deno.test("while an invoice is open no more can be bought", () =>
  withTransaction(async (sql) => {
    const { organization } = await subscribed(sql, { status: "past_due" });
    for (const wish of [{ seats: 12 }, { seats: 10, billingPeriod: "yearly" }]) {
      await assertRefused(sql, organization, wish, 409, "payment_overdue");
    }
  }));

Deno.test("a subscription that is unpaid has to be paid before it is changed", () =>
  withTransaction(async (sql) => {
    const { organization } = await subscribed(sql, { status: "unpaid" });
    for (const wish of [{ seats: 12 }, { seats: 6 }]) {
      await assertRefused(sql, organization, wish, 409, "payment_overdue");
    }
  }));

Deno.test("the billing period of a trial stays until it is over", () =>
  withTransaction(async (sql) => {
    const { organization, subscription } = await subscribed(sql, { status: "trialing" });
    const refusal = await refused(sql, organization, { seats: 10, billingPeriod: "yearly" });
    assert.deepEqual([refusal.sqlstate, refusal.code], ["PT409", "trial_under_way"]);
    const { trialEnd } = refusal.details as { trialEnd: string };
    assert.equal(Date.parse(trialEnd) / 1000, subscription.periodEnd);
    assert.equal((await startChange(sql, organization, { seats: 12 })).kind, "now");
  }));

Deno.test("a subscription that Stripe never told us of cannot be changed", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql);
    await setSeats(sql, organization, 5);
    const { code } = await refused(sql, organization, { seats: 6 });
    assert.equal(code, "no_subscription");
    assert.equal((await standingOf(sql, organization)).purchased, 5);
  }));

Deno.test("while a decrease is scheduled nothing is bought, and the refusal says how to take it back", () =>
  withTransaction(async (sql) => {
    const { organization, subscription } = await subscribed(sql);
    await makeChange(sql, organization, { seats: 6 }, subscription);
    const details = { renewalSeats: 6, undoWith: "DELETE scheduled-change" };
    for (
      const wish of [{ seats: 12 }, { seats: 21, plan: "max" }, {
        seats: 10,
        billingPeriod: "yearly",
      }]
    ) {
      await assertRefused(sql, organization, wish, 409, "change_scheduled", details);
    }
  }));

Deno.test("one change at a time: the refusal shows the other", () =>
  withTransaction(async (sql) => {
    const { organization, subscription } = await subscribed(sql);
    const started = await startChange(sql, organization, { seats: 12 });
    const inProgress = async (state: string, paymentUrl: string | null) => {
      const { sqlstate, code, details } = await refused(sql, organization, { seats: 6 });
      assert.deepEqual([sqlstate, code], ["PT409", "change_in_progress"]);
      assert.deepEqual(details, {
        seatChangeId: started.seatChangeId,
        state,
        kind: "now",
        seats: 12,
        plan: "pro",
        billingPeriod: "monthly",
        effectiveAt: null,
        paymentUrl,
        error: state === "stuck" ? "timeout" : null,
      });
    };
    await inProgress("open", null);

    await sql.savepoint(async (sql) => {
      await sql`select public.mark_seat_change_stuck(${started.seatChangeId}, 'timeout')`;
    });
    await inProgress("stuck", null);

    await settleChange(sql, started, {
      subscription: { ...subscription, pendingUpdate: true },
      paymentUrl: "https://pay.example/in_1",
    });
    const { details } = await refused(sql, organization, { seats: 6 });
    assert.equal((details as { state: string }).state, "awaiting_payment");
    assert.equal((details as { paymentUrl: string }).paymentUrl, "https://pay.example/in_1");
  }));
