import assert from "node:assert/strict";
import { refusalIn, type Transaction, withTransaction } from "./connection.ts";
import { rowsOf } from "./rows.ts";
import {
  assertStanding,
  changedBy,
  changeOf,
  changesOf,
  makeChange,
  refuseChange,
  settleChange,
  startChange,
  type StartedChange,
} from "./seat_changes.ts";
import {
  applySubscriptionEvent,
  renewed,
  second,
  type Subscribed,
  subscribed,
  subscriptionEvent,
} from "./paid_subscriptions.ts";

const PAYMENT_URL = "https://pay.example/in_1";

/** `subscribed()`, with a change to 12 seats that waits for its payment. */
async function awaiting(sql: Transaction): Promise<Subscribed & { started: StartedChange }> {
  const { organization, subscription } = await subscribed(sql);
  const started = await startChange(sql, organization, { seats: 12 });
  const held = { ...subscription, pendingUpdate: true };
  await settleChange(sql, started, { subscription: held, paymentUrl: PAYMENT_URL });
  return { organization, subscription: held, started };
}

Deno.test("more seats that Stripe refuses leave everything as it was", () =>
  withTransaction(async (sql) => {
    const { organization } = await subscribed(sql);
    const started = await startChange(sql, organization, { seats: 12 });

    const { state, error } = await refuseChange(sql, started, "Stripe 402 card_declined (req_1)");

    assert.deepEqual([state, error], ["failed", "Stripe 402 card_declined (req_1)"]);
    await assertStanding(sql, organization, { purchased: 10, renewal: 10 });
    assert.equal((await startChange(sql, organization, { seats: 12 })).state, "open");
  }));

Deno.test("fewer seats that Stripe refuses come back", () =>
  withTransaction(async (sql) => {
    const { organization } = await subscribed(sql);
    const started = await startChange(sql, organization, { seats: 6 });
    await assertStanding(sql, organization, { renewal: 6 });

    assert.equal((await refuseChange(sql, started)).state, "failed");

    await assertStanding(sql, organization, { purchased: 10, renewal: 10 });
  }));

Deno.test("a refusal that comes after Stripe's event changes nothing", () =>
  withTransaction(async (sql) => {
    const { organization, subscription } = await subscribed(sql);
    const started = await startChange(sql, organization, { seats: 12 });
    const twelve = changedBy(started, subscription);
    await applySubscriptionEvent(sql, subscriptionEvent(twelve, second(5)));

    assert.equal((await refuseChange(sql, started)).state, "completed");

    await assertStanding(sql, organization, { purchased: 12, renewal: 12 });
  }));

for (const seats of [12, 6]) {
  Deno.test(`an answer to ${seats} seats that is told twice counts once`, () =>
    withTransaction(async (sql) => {
      const { organization, subscription } = await subscribed(sql);
      const started = await startChange(sql, organization, { seats });
      const after = changedBy(started, subscription);
      const first = await settleChange(sql, started, { subscription: after });
      const rows = await rowsOf(sql, organization.clerkOrgId);

      const second = await settleChange(sql, started, { subscription: after });

      assert.deepEqual(second, first);
      assert.deepEqual(await rowsOf(sql, organization.clerkOrgId), rows);
    }));
}

Deno.test("an answer that was overtaken by an event is asked for again, and leaves nothing", () =>
  withTransaction(async (sql) => {
    const { organization, subscription } = await subscribed(sql);
    const started = await startChange(sql, organization, { seats: 12 });
    // Somebody has cancelled in Stripe's portal before Stripe heard of the change.
    const ending = { ...subscription, cancelAtPeriodEnd: true };
    await applySubscriptionEvent(sql, subscriptionEvent(ending, second(5)));
    const rows = await rowsOf(sql, organization.clerkOrgId);

    const asked = await settleChange(sql, started, {
      subscription: { ...subscription, quantity: 12 },
    });

    assert.deepEqual(asked, { state: "ask_stripe", version: 2 });
    assert.deepEqual(await rowsOf(sql, organization.clerkOrgId), rows);
    const settled = await settleChange(sql, started, {
      subscription: { ...ending, quantity: 12 },
      version: 2,
    });
    assert.equal(settled.state, "completed");
    const row = await sql`
      select cancel_at_period_end as ending from public.organization_subscriptions
      where organization_id = ${organization.id}`;
    assert.equal(row[0]?.["ending"], true);
  }));

Deno.test("an answer that comes after its event changes nothing", () =>
  withTransaction(async (sql) => {
    const { organization, subscription } = await subscribed(sql);
    const started = await startChange(sql, organization, { seats: 12 });
    const twelve = changedBy(started, subscription);
    await applySubscriptionEvent(sql, subscriptionEvent(twelve, second(5)));
    // And somebody has set yet another number by now.
    const nine = { ...twelve, quantity: 9 };
    await applySubscriptionEvent(sql, subscriptionEvent(nine, second(6)));
    const rows = await rowsOf(sql, organization.clerkOrgId);

    const { state } = await settleChange(sql, started, { subscription: twelve, version: 3 });

    assert.equal(state, "completed");
    assert.deepEqual(await rowsOf(sql, organization.clerkOrgId), rows);
  }));

Deno.test("while a payment is awaited nothing is granted, and its page is told", () =>
  withTransaction(async (sql) => {
    const { organization, started } = await awaiting(sql);

    assert.deepEqual(await changeOf(sql, started), {
      state: "awaiting_payment",
      paymentUrl: PAYMENT_URL,
      error: null,
    });
    await assertStanding(sql, organization, { purchased: 10, renewal: 10 });
  }));

Deno.test("an awaited payment that comes grants the seats", () =>
  withTransaction(async (sql) => {
    const { organization, subscription, started } = await awaiting(sql);
    const paid = { ...subscription, pendingUpdate: false, quantity: 12 };

    const event = subscriptionEvent(paid, second(60), "pending_update_applied");
    await applySubscriptionEvent(sql, event);

    assert.deepEqual(await changeOf(sql, started), {
      state: "completed",
      paymentUrl: null,
      error: null,
    });
    await assertStanding(sql, organization, { purchased: 12, renewal: 12 });
  }));

Deno.test("an awaited payment that never comes changes nothing", () =>
  withTransaction(async (sql) => {
    const { organization, subscription, started } = await awaiting(sql);
    const left = { ...subscription, pendingUpdate: false };

    const event = subscriptionEvent(left, second(23 * 3600), "pending_update_expired");
    await applySubscriptionEvent(sql, event);

    assert.deepEqual(await changeOf(sql, started), {
      state: "expired",
      paymentUrl: null,
      error: null,
    });
    await assertStanding(sql, organization, { purchased: 10, renewal: 10 });
    assert.equal((await startChange(sql, organization, { seats: 12 })).state, "open");
  }));

Deno.test("the page to pay on is told, though the event came before Stripe's answer", () =>
  withTransaction(async (sql) => {
    const { organization, subscription } = await subscribed(sql);
    const started = await startChange(sql, organization, { seats: 12 });
    const held = { ...subscription, pendingUpdate: true };
    await applySubscriptionEvent(sql, subscriptionEvent(held, second(5)));
    assert.equal((await changeOf(sql, started)).state, "awaiting_payment");

    const { version = 0 } = await settleChange(sql, started, { subscription: held });
    const settled = await settleChange(sql, started, {
      subscription: held,
      paymentUrl: PAYMENT_URL,
      version,
    });

    assert.deepEqual([settled.state, settled.paymentUrl], ["awaiting_payment", PAYMENT_URL]);
  }));

Deno.test("an increase that Stripe had not made when it answered stays open", () =>
  withTransaction(async (sql) => {
    const { organization, subscription } = await subscribed(sql);
    const started = await startChange(sql, organization, { seats: 12 });

    assert.equal((await settleChange(sql, started, { subscription })).state, "open");

    await assertStanding(sql, organization, { purchased: 10, renewal: 10 });
  }));

Deno.test("a second renewal change takes the first one's place once Stripe has made it", () =>
  withTransaction(async (sql) => {
    const { organization, subscription } = await subscribed(sql);
    const six = await makeChange(sql, organization, { seats: 6 }, subscription);
    const five = await startChange(sql, organization, { seats: 5 });
    await assertStanding(sql, organization, { purchased: 10, renewal: 5 });
    assert.equal((await changeOf(sql, six.change)).state, "scheduled");

    const settled = await settleChange(sql, five, {
      subscription: changedBy(five, six.subscription),
    });

    assert.equal(settled.state, "scheduled");
    assert.deepEqual((await changesOf(sql, organization)).map(({ state }) => state), [
      "superseded",
      "scheduled",
    ]);
    await assertStanding(sql, organization, { purchased: 10, renewal: 5 });
  }));

for (const seats of [5, 8, 10]) {
  Deno.test(`a second renewal change, to ${seats}, that Stripe refuses leaves the first`, () =>
    withTransaction(async (sql) => {
      const { organization, subscription } = await subscribed(sql);
      const six = await makeChange(sql, organization, { seats: 6 }, subscription);
      const started = await startChange(sql, organization, { seats });
      // Never more than Stripe would bill, before it has answered.
      await assertStanding(sql, organization, { purchased: 10, renewal: Math.min(seats, 6) });

      await refuseChange(sql, started);

      assert.equal((await changeOf(sql, six.change)).state, "scheduled");
      await assertStanding(sql, organization, { purchased: 10, renewal: 6 });
      const next = renewed(six.subscription);
      await applySubscriptionEvent(sql, subscriptionEvent(next, next.periodStart));
      await assertStanding(sql, organization, { purchased: 6, renewal: 6 });
    }));
}

Deno.test("a change that nobody knows of cannot be settled", () =>
  withTransaction(async (sql) => {
    const unknown = { seatChangeId: crypto.randomUUID() };

    const refusal = await refusalIn(sql, (sql) => refuseChange(sql, unknown));

    assert.deepEqual([refusal.sqlstate, refusal.code], ["PT404", "seat_change_not_found"]);
  }));

Deno.test("only an open change can get stuck", () =>
  withTransaction(async (sql) => {
    const { organization, subscription } = await subscribed(sql);
    const { change } = await makeChange(sql, organization, { seats: 12 }, subscription);
    const { seatChangeId } = change;

    await sql`select public.mark_seat_change_stuck(${seatChangeId}, 'timeout')`;

    assert.equal((await changeOf(sql, change)).state, "completed");
  }));
