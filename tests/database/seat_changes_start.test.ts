import assert from "node:assert/strict";
import { checkCapacity } from "./commands.ts";
import { only, type Transaction, withTransaction } from "./connection.ts";
import { makeOrganization, type Organization } from "./organizations.ts";
import {
  assertStanding,
  changedBy,
  changeOf,
  makeChange,
  refuseChange,
  settleChange,
  startChange,
  sweep,
} from "./seat_changes.ts";
import {
  applySubscriptionEvent,
  renewed,
  second,
  subscribe,
  subscribed,
  subscriptionEvent,
} from "./paid_subscriptions.ts";

async function available(sql: Transaction, organization: Organization): Promise<number> {
  const capacity = await checkCapacity(sql, organization);
  assert(capacity !== null);
  return capacity.remaining;
}

Deno.test("more seats are charged now, and change nothing before Stripe has answered", () =>
  withTransaction(async (sql) => {
    const { organization, subscription } = await subscribed(sql);
    const before = Math.floor(Date.now() / 1000);

    const { seatChangeId, prorationDate, version, ...started } = await startChange(
      sql,
      organization,
      { seats: 12 },
    );

    assert.match(seatChangeId, /^[0-9a-f-]{36}$/);
    assert(prorationDate >= before && prorationDate <= before + 60);
    assert.equal(version, 1);
    assert.deepEqual(started, {
      state: "open",
      kind: "now",
      seats: 12,
      plan: "pro",
      billingPeriod: "monthly",
      effectiveAt: null,
      paymentUrl: null,
      error: null,
      subscriptionId: subscription.id,
      itemId: subscription.itemId,
      lookupKey: "seatkeeper_pro_monthly",
      startsPeriod: false,
      isNew: true,
      periodEnd: subscription.periodEnd,
      planBefore: "pro",
      seatsBefore: 10,
    });
    await assertStanding(sql, organization, { purchased: 10, renewal: 10 });

    const settled = await settleChange(sql, { seatChangeId, version }, {
      subscription: { ...subscription, quantity: 12 },
    });
    assert.equal(settled.state, "completed");
    await assertStanding(sql, organization, { purchased: 12, renewal: 12 });
  }));

Deno.test("the moment that a preview prorated from is kept", () =>
  withTransaction(async (sql) => {
    const { organization } = await subscribed(sql);
    const prorationDate = new Date(second(-60) * 1000).toISOString();

    const started = await startChange(sql, organization, { seats: 12, prorationDate });

    assert.equal(started.prorationDate, second(-60));
  }));

Deno.test("fewer seats are given up before Stripe is asked, and stay paid until the period ends", () =>
  withTransaction(async (sql) => {
    const { organization, subscription } = await subscribed(sql);

    const started = await startChange(sql, organization, { seats: 6 });

    assert.deepEqual([started.kind, started.state], ["renewal", "open"]);
    await assertStanding(sql, organization, { purchased: 10, renewal: 6 });
    assert.equal(await available(sql, organization), 2);

    const settled = await settleChange(sql, started, {
      subscription: { ...subscription, quantity: 6 },
    });
    assert.equal(settled.state, "scheduled");
    assert.equal(Date.parse(settled.effectiveAt ?? "") / 1000, subscription.periodEnd);
    await assertStanding(sql, organization, { purchased: 10, renewal: 6 });
    assert.equal(await available(sql, organization), 2);
  }));

for (const [seats, state] of [[10, "completed"], [8, "scheduled"]] as const) {
  Deno.test(`taking a decrease from 10 to 6 back to ${seats} is free`, () =>
    withTransaction(async (sql) => {
      const { organization, subscription } = await subscribed(sql);
      const six = await makeChange(sql, organization, { seats: 6 }, subscription);

      const back = await makeChange(sql, organization, { seats }, six.subscription);

      assert.deepEqual([back.change.kind, back.change.state], ["renewal", state]);
      assert.equal((await changeOf(sql, six.change)).state, "superseded");
      await assertStanding(sql, organization, { purchased: 10, renewal: seats });
    }));
}

Deno.test("a decrease that was taken back leaves room for more seats", () =>
  withTransaction(async (sql) => {
    const { organization, subscription } = await subscribed(sql);
    const six = await makeChange(sql, organization, { seats: 6 }, subscription);
    const ten = await makeChange(sql, organization, { seats: 10 }, six.subscription);

    const twelve = await makeChange(sql, organization, { seats: 12 }, ten.subscription);

    assert.deepEqual([twelve.change.kind, twelve.change.state], ["now", "completed"]);
    await assertStanding(sql, organization, { purchased: 12, renewal: 12 });
  }));

Deno.test("a higher plan is charged now, and counts once it is paid", () =>
  withTransaction(async (sql) => {
    const { organization, subscription } = await subscribed(sql, { quantity: 20 });
    const started = await startChange(sql, organization, { seats: 21, plan: "max" });
    assert.deepEqual([started.kind, started.lookupKey], ["now", "seatkeeper_max_monthly"]);
    await assertStanding(sql, organization, { plan: "pro", purchased: 20, renewal: 20 });

    await settleChange(sql, started, { subscription: changedBy(started, subscription) });

    await assertStanding(sql, organization, { plan: "max", purchased: 21, renewal: 21 });
  }));

Deno.test("a lower plan waits for renewal", () =>
  withTransaction(async (sql) => {
    const { organization, subscription } = await subscribed(sql, { plan: "max", quantity: 30 });
    const pro = await makeChange(sql, organization, { seats: 15, plan: "pro" }, subscription);
    assert.deepEqual([pro.change.kind, pro.change.state], ["renewal", "scheduled"]);
    await assertStanding(sql, organization, { plan: "max", purchased: 30, renewal: 15 });

    const next = renewed(pro.subscription);
    await applySubscriptionEvent(sql, subscriptionEvent(next, next.periodStart));

    await assertStanding(sql, organization, { plan: "pro", purchased: 15, renewal: 15 });
    assert.equal((await changeOf(sql, pro.change)).state, "completed");
  }));

Deno.test("a lower plan can be taken back, and be made another number of seats", () =>
  withTransaction(async (sql) => {
    const { organization, subscription } = await subscribed(sql, { plan: "max", quantity: 30 });
    const pro = await makeChange(sql, organization, { seats: 15, plan: "pro" }, subscription);
    const less = await makeChange(sql, organization, { seats: 9, plan: "pro" }, pro.subscription);
    assert.deepEqual([less.change.kind, less.change.state], ["renewal", "scheduled"]);
    await assertStanding(sql, organization, { plan: "max", purchased: 30, renewal: 9 });

    const back = await makeChange(sql, organization, { seats: 30 }, less.subscription);

    assert.deepEqual([back.change.kind, back.change.state], ["renewal", "completed"]);
    await assertStanding(sql, organization, { plan: "max", purchased: 30, renewal: 30 });
  }));

for (const [from, to] of [["monthly", "yearly"], ["yearly", "monthly"]] as const) {
  Deno.test(`from ${from} to ${to} is charged now`, () =>
    withTransaction(async (sql) => {
      const { organization, subscription } = await subscribed(sql, { billingPeriod: from });
      const wish = { seats: 10, billingPeriod: to };

      const started = await startChange(sql, organization, wish);
      assert.equal(started.startsPeriod, true);
      const change = await settleChange(sql, started, {
        subscription: changedBy(started, subscription),
      });

      assert.deepEqual([change.kind, change.state], ["now", "completed"]);
      await assertStanding(sql, organization, { purchased: 10, renewal: 10 });
      const row = only(
        await sql`
          select seat_billing_period as period from public.organization_subscriptions
          where organization_id = ${organization.id}`,
      );
      assert.equal(row["period"], to);
    }));
}

Deno.test("fewer seats of another billing period are given up before Stripe is asked", () =>
  withTransaction(async (sql) => {
    const { organization, subscription } = await subscribed(sql);
    const started = await startChange(sql, organization, { seats: 4, billingPeriod: "yearly" });
    await assertStanding(sql, organization, { purchased: 10, renewal: 4 });
    assert.equal(await available(sql, organization), 0);

    const held = { ...subscription, pendingUpdate: true };
    await settleChange(sql, started, { subscription: held });
    assert.equal(await available(sql, organization), 0);

    const yearly = changedBy(started, subscription);
    await applySubscriptionEvent(sql, subscriptionEvent(yearly, second(10)));
    await assertStanding(sql, organization, { purchased: 4, renewal: 4 });
  }));

Deno.test("fewer seats of another billing period come back when Stripe refuses", () =>
  withTransaction(async (sql) => {
    const { organization } = await subscribed(sql);
    const started = await startChange(sql, organization, { seats: 4, billingPeriod: "yearly" });

    await refuseChange(sql, started);

    await assertStanding(sql, organization, { purchased: 10, renewal: 10 });
  }));

Deno.test("fewer seats of another billing period come back when the change never reached Stripe", () =>
  withTransaction(async (sql) => {
    const { organization, subscription } = await subscribed(sql);
    await startChange(sql, organization, { seats: 4, billingPeriod: "yearly" });

    await sweep(sql, organization, subscription);

    await assertStanding(sql, organization, { purchased: 10, renewal: 10 });
  }));

Deno.test("seats of invitations whose time is over can be given up", () =>
  withTransaction(async (sql) => {
    const { organization } = await subscribed(sql);
    await sql`
      insert into public.organization_invitations (organization_id, email, status, expires_at)
      values (${organization.id}, 'late@example.com', 'pending', clock_timestamp())`;

    assert.equal((await startChange(sql, organization, { seats: 4 })).state, "open");
  }));

Deno.test("a checkout that is still open gives way to a change", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql);
    const rows = await sql<{ checkout: { seatChangeId: string } }[]>`
      select public.start_checkout(
        ${organization.id}, ${organization.clerkOrgId}, 'pro', 'monthly', 5,
        'https://app.example/ok', 'https://app.example/no', 'user_admin'
      ) as checkout`;
    await subscribe(sql, organization);

    await startChange(sql, organization, { seats: 12 });

    assert.equal((await changeOf(sql, only(rows).checkout)).state, "superseded");
  }));
