import assert from "node:assert/strict";
import { setOrganizationStatus } from "./commands.ts";
import { only, type Refusal, refusalIn, type Transaction, withTransaction } from "./connection.ts";
import { addMembers, makeOrganization, type Organization, setSeats } from "./organizations.ts";
import { randomId } from "./random_id.ts";
import {
  changesOf,
  makeChange,
  refuseChange,
  settleChange,
  standingOf,
  startChange,
  type Wish,
} from "./seat_changes.ts";
import { type StripeSubscription, subscribe } from "./paid_subscriptions.ts";
import { applySubscriptionEvent, second, subscriptionEvent } from "./paid_subscriptions.ts";

/** How a wish is refused; asserts that it has left nothing behind. */
async function refused(
  sql: Transaction,
  organization: Pick<Organization, "id" | "clerkOrgId">,
  wish: Wish,
): Promise<Refusal> {
  const before = await changesOf(sql, organization);
  const refusal = await refusalIn(sql, (sql) => startChange(sql, organization, wish));
  assert.deepEqual(await changesOf(sql, organization), before);
  assert.match(refusal.sentence ?? "", /^[A-Z].*\.$/);
  return refusal;
}

/** Asserts how a wish is refused. */
async function assertRefused(
  sql: Transaction,
  organization: Pick<Organization, "id" | "clerkOrgId">,
  wish: Wish,
  status: number,
  expectedCode: string,
  expectedDetails: unknown = {},
): Promise<void> {
  const { sqlstate, code, details } = await refused(sql, organization, wish);
  assert.deepEqual([sqlstate, code, details], [`PT${status}`, expectedCode, expectedDetails]);
}

/** An organization of 4 people with a paid subscription, of 10 seats of plan pro unless said. */
async function subscribed(
  sql: Transaction,
  differing: Partial<StripeSubscription> = {},
): Promise<{ organization: Organization; subscription: StripeSubscription }> {
  const organization = await makeOrganization(sql, { members: 4 });
  return { organization, subscription: await subscribe(sql, organization, differing) };
}

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
      const { organization } = await subscribed(sql, { status });
      const details = { status, buyWith: "create-seat-checkout-session" };
      await assertRefused(sql, organization, { seats: 12 }, 409, "no_subscription", details);
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

Deno.test("the same key is the same change, whatever has become of it", () =>
  withTransaction(async (sql) => {
    const { organization, subscription } = await subscribed(sql);
    const wish = { seats: 12, key: randomId("key") };
    const first = await startChange(sql, organization, wish);
    assert.deepEqual(await startChange(sql, organization, wish), { ...first, isNew: false });

    await settleChange(sql, first, { subscription: { ...subscription, quantity: 12 } });
    const again = await startChange(sql, organization, wish);
    assert.deepEqual([again.seatChangeId, again.state], [first.seatChangeId, "completed"]);
    // Though these seats would be refused by now.
    await addMembers(sql, organization, 8);
    await makeChange(sql, organization, { seats: 13 }, { ...subscription, quantity: 12 });
    assert.equal((await startChange(sql, organization, wish)).state, "completed");

    const six = { seats: 12, key: randomId("key") };
    const failing = await startChange(sql, organization, six);
    await refuseChange(sql, failing);
    const { state, error } = await startChange(sql, organization, six);
    assert.deepEqual([state, error], ["failed", "card_declined"]);
  }));

Deno.test("the same key with another wish is refused", () =>
  withTransaction(async (sql) => {
    const { organization } = await subscribed(sql);
    const prorationDate = new Date(second(-60) * 1000).toISOString();
    const key = randomId("key");
    await startChange(sql, organization, { seats: 12, key, prorationDate });
    for (
      const other of [
        { seats: 13 },
        { seats: null },
        { seats: 12, plan: "max" },
        { seats: 12, billingPeriod: "yearly" },
        { seats: 12, prorationDate: new Date(second(-59) * 1000).toISOString() },
      ]
    ) {
      await assertRefused(sql, organization, { ...other, key }, 422, "idempotency_key_reused");
    }
    const same = { seats: 12, plan: "pro", billingPeriod: "monthly", prorationDate, key };
    assert.equal((await startChange(sql, organization, same)).state, "open");
  }));

Deno.test("the same key with the same moment is the same change, to the second that Stripe knows", () =>
  withTransaction(async (sql) => {
    const { organization } = await subscribed(sql);
    const prorationDate = new Date(second(-60) * 1000 + 500).toISOString();
    const wish = { seats: 12, key: randomId("key"), prorationDate };
    const first = await startChange(sql, organization, wish);
    assert.deepEqual(await startChange(sql, organization, wish), { ...first, isNew: false });
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

Deno.test("keys of two organizations have nothing to do with each other", () =>
  withTransaction(async (sql) => {
    const key = randomId("key");
    const started = [];
    for (const seats of [12, 13]) {
      const { organization } = await subscribed(sql);
      started.push(await startChange(sql, organization, { seats, key }));
    }
    assert.notEqual(started[0]?.seatChangeId, started[1]?.seatChangeId);
  }));

/** Enters that many changes into the past of a subscription, the first of them so long ago. */
async function pastChanges(
  sql: Transaction,
  organization: Organization,
  kind: "now" | "renewal",
  count: number,
  ago: string,
): Promise<void> {
  await sql`
    insert into public.seat_changes (
      organization_id, kind, state, plan, billing_period, seats, actor, expires_at,
      idempotency_key, stripe_subscription_id, plan_before, billing_period_before, seats_before,
      renewal_seats_before, proration_date, period_end, created_at
    )
    select organization_id, ${kind}, 'failed', 'pro', 'monthly', 12, 'user_admin', now(),
      gen_random_uuid()::text, stripe_seat_subscription_id, 'pro', 'monthly', 10, 10, now(),
      current_period_end,
      now() - ${ago}::text::interval + n * interval '1 millisecond'
    from public.organization_subscriptions, generate_series(0, ${count}::integer - 1) as n
    where organization_id = ${organization.id}`;
}

for (
  const [kind, limit, within, outside, wish] of [
    ["now", 10, "50 seconds", "61 seconds", { seats: 12 }],
    ["now", 20, "23 hours", "24 hours 1 second", { seats: 12 }],
    ["renewal", 200, "50 minutes", "61 minutes", { seats: 6 }],
    ["renewal", 200, "50 minutes", "61 minutes", { seats: 12 }],
  ] as const
) {
  Deno.test(`after ${limit} changes (${kind}) within ${outside}, ${wish.seats} seats are refused until there is room at Stripe`, () =>
    withTransaction(async (sql) => {
      const { organization } = await subscribed(sql);
      await pastChanges(sql, organization, kind, limit - 1, outside);
      await sql.savepoint(async (sql) => {
        await pastChanges(sql, organization, kind, limit - 1, within);
        await startChange(sql, organization, wish);
        await sql`
          update public.seat_changes set state = 'failed'
          where organization_id = ${organization.id} and state = 'open'`;
        await sql`
          update public.seat_changes set created_at = now() - ${within}::text::interval
          where organization_id = ${organization.id}
            and created_at > now() - interval '1 second'`;

        const { sqlstate, code, details } = await refused(sql, organization, wish);

        assert.deepEqual([sqlstate, code], ["PT429", "too_many_changes"]);
        const { retryAt, retryAfter } = details as { retryAt: string; retryAfter: number };
        const { seconds } = only(
          await sql<{ seconds: number }[]>`
            select extract(epoch from ${retryAt}::text::timestamptz - now())::float8 as seconds`,
        );
        assert(seconds > 0 && seconds <= retryAfter && retryAfter <= seconds + 1);
        const { left } = only(
          await sql<{ left: number }[]>`
            select extract(epoch from
              case ${limit}::integer when 10 then interval '1 minute'
                when 20 then interval '1 day' else interval '1 hour' end
              - ${within}::text::interval)::float8 as left`,
        );
        assert(Math.abs(seconds - left) < 1, `${seconds} instead of ${left}`);
      });
    }));
}

Deno.test("changes that cost nothing do not count as invoices", () =>
  withTransaction(async (sql) => {
    const { organization } = await subscribed(sql);
    await pastChanges(sql, organization, "renewal", 30, "50 seconds");
    assert.equal((await startChange(sql, organization, { seats: 12 })).state, "open");
  }));

Deno.test("after too many invoices seats can still be given back", () =>
  withTransaction(async (sql) => {
    const { organization } = await subscribed(sql);
    await pastChanges(sql, organization, "now", 20, "50 seconds");
    assert.equal((await startChange(sql, organization, { seats: 6 })).state, "open");
  }));

Deno.test("the changes of a subscription that has ended do not count for the next one", () =>
  withTransaction(async (sql) => {
    const { organization, subscription } = await subscribed(sql);
    await pastChanges(sql, organization, "now", 20, "50 seconds");
    const ended = { ...subscription, status: "canceled" };
    await applySubscriptionEvent(sql, subscriptionEvent(ended, second(1), "deleted"));
    await subscribe(sql, organization, { created: second(2) });

    assert.equal((await startChange(sql, organization, { seats: 12 })).state, "open");
  }));

Deno.test("a subscription that Stripe never told us of cannot be changed", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql);
    await setSeats(sql, organization, 5);
    const { code } = await refused(sql, organization, { seats: 6 });
    assert.equal(code, "no_subscription");
    assert.equal((await standingOf(sql, organization)).purchased, 5);
  }));
