import assert from "node:assert/strict";
import { type Transaction, withTransaction } from "./connection.ts";
import { type Organization } from "./organizations.ts";
import {
  assertStanding,
  changedBy,
  changeOf,
  changesOf,
  leaseOf,
  makeChange,
  reconcile,
  refuseChange,
  settleChange,
  startChange,
  type StartedChange,
  sweep,
} from "./seat_changes.ts";
import {
  applySubscriptionEvent,
  INVOICE_PAGE,
  renewed,
  second,
  type StripeSubscription,
  type Subscribed,
  subscribed,
  subscriptionEvent,
} from "./paid_subscriptions.ts";

/** An organization of 4 people that has paid for 10 seats, and has begun to change them. */
async function underWay(
  sql: Transaction,
  seats: number,
  state: "open" | "stuck",
): Promise<Subscribed & { started: StartedChange }> {
  const { organization, subscription } = await subscribed(sql);
  const started = await startChange(sql, organization, { seats });
  if (state === "stuck") {
    await sql`select public.mark_seat_change_stuck(${started.seatChangeId}, 'timeout')`;
  }
  return { organization, subscription, started };
}

/** Asserts that one more sweep finds nothing to do. */
async function assertAtRest(
  sql: Transaction,
  organization: Organization,
  subscription: StripeSubscription,
): Promise<void> {
  const changes = await changesOf(sql, organization);
  assert.deepEqual(await sweep(sql, organization, subscription), []);
  assert.deepEqual(await changesOf(sql, organization), changes);
}

for (const state of ["open", "stuck"] as const) {
  for (const [seats, end] of [[12, "completed"], [6, "scheduled"]] as const) {
    Deno.test(`a change to ${seats} that was left ${state} after Stripe made it is ${end} by one sweep`, () =>
      withTransaction(async (sql) => {
        const { organization, subscription, started } = await underWay(sql, seats, state);
        const made = changedBy(started, subscription);

        const drift = await sweep(sql, organization, made);

        assert.deepEqual(drift.map(({ kind }) => kind), ["subscription", "seat_change"]);
        assert.deepEqual(drift[1], {
          kind: "seat_change",
          id: started.seatChangeId,
          was: state,
          is: end,
        });
        assert.equal((await changeOf(sql, started)).state, end);
        await assertStanding(sql, organization, {
          purchased: Math.max(seats, 10),
          renewal: seats,
        });
        await assertAtRest(sql, organization, made);
      }));

    Deno.test(`a change to ${seats} that was left ${state} before Stripe heard of it is failed by one sweep`, () =>
      withTransaction(async (sql) => {
        const { organization, subscription, started } = await underWay(sql, seats, state);

        const drift = await sweep(sql, organization, subscription);

        const id = started.seatChangeId;
        assert.deepEqual(drift, [{ kind: "seat_change", id, was: state, is: "failed" }]);
        const { state: end, error } = await changeOf(sql, started);
        assert.deepEqual([end, error], ["failed", "never_reached_stripe"]);
        await assertStanding(sql, organization, { purchased: 10, renewal: 10 });
        await assertAtRest(sql, organization, subscription);
        assert.equal((await startChange(sql, organization, { seats })).state, "open");
      }));
  }

  Deno.test(`a change that was left ${state} and awaits its payment is found to do so`, () =>
    withTransaction(async (sql) => {
      const { organization, subscription, started } = await underWay(sql, 12, state);
      const held = { ...subscription, pendingUpdate: true };

      await sweep(sql, organization, held);

      const { state: found, paymentUrl } = await changeOf(sql, started);
      assert.deepEqual([found, paymentUrl], ["awaiting_payment", INVOICE_PAGE]);
      await assertStanding(sql, organization, { purchased: 10, renewal: 10 });
      await assertAtRest(sql, organization, held);
    }));

  Deno.test(`a decrease that was left ${state} through its renewal is followed`, () =>
    withTransaction(async (sql) => {
      const { organization, subscription, started } = await underWay(sql, 6, state);
      const next = renewed(changedBy(started, subscription));

      await sweep(sql, organization, next);

      assert.notEqual((await changeOf(sql, started)).state, state);
      await assertStanding(sql, organization, { purchased: 6, renewal: 6 });
      await assertAtRest(sql, organization, next);
      assert.equal((await startChange(sql, organization, { seats: 8 })).kind, "now");
    }));
}

for (
  const [what, differing, state, purchased] of [
    ["paid", { quantity: 12 }, "completed", 12],
    ["left unpaid", {}, "expired", 10],
  ] as const
) {
  Deno.test(`an awaited payment that was ${what} while events were lost is settled by one sweep`, () =>
    withTransaction(async (sql) => {
      const { organization, subscription, started } = await underWay(sql, 12, "open");
      const held = { ...subscription, pendingUpdate: true };
      await settleChange(sql, started, { subscription: held });
      const after = { ...subscription, ...differing };

      await sweep(sql, organization, after);

      assert.equal((await changeOf(sql, started)).state, state);
      await assertStanding(sql, organization, { purchased, renewal: purchased });
      await assertAtRest(sql, organization, after);
    }));
}

Deno.test("a scheduled decrease whose renewal was lost is settled by one sweep", () =>
  withTransaction(async (sql) => {
    const { organization, subscription, started } = await underWay(sql, 6, "open");
    const six = changedBy(started, subscription);
    await settleChange(sql, started, { subscription: six });
    await assertAtRest(sql, organization, six);

    const next = renewed(six);
    await sweep(sql, organization, next);

    assert.equal((await changeOf(sql, started)).state, "completed");
    await assertStanding(sql, organization, { purchased: 6, renewal: 6 });
    await assertAtRest(sql, organization, next);
  }));

Deno.test("a scheduled decrease that somebody undid at Stripe is ended by one sweep", () =>
  withTransaction(async (sql) => {
    const { organization, subscription, started } = await underWay(sql, 6, "open");
    await settleChange(sql, started, { subscription: changedBy(started, subscription) });

    const edited = { ...subscription, quantity: 9 };
    await sweep(sql, organization, edited);

    assert.equal((await changeOf(sql, started)).state, "superseded");
    await assertStanding(sql, organization, { purchased: 9, renewal: 9 });
    await assertAtRest(sql, organization, edited);
  }));

for (const [seats, renewal] of [[12, 10], [6, 6]] as const) {
  Deno.test(`a sweep leaves ${seats} seats open that Stripe may be at work on`, () =>
    withTransaction(async (sql) => {
      const { organization, subscription, started } = await underWay(sql, seats, "open");
      const lease = await leaseOf(sql, organization);
      assert.equal(lease.open_change_id, started.seatChangeId);
      assert.equal(lease.open_change_subscription_id, started.subscriptionId);

      assert.deepEqual(await reconcile(sql, lease, [subscription], { fencedChangeId: null }), []);

      assert.equal((await changeOf(sql, started)).state, "open");
      await assertStanding(sql, organization, { purchased: 10, renewal });
    }));
}

Deno.test("a sweep that looked at Stripe before a change began leaves it alone", () =>
  withTransaction(async (sql) => {
    const { organization, subscription } = await subscribed(sql);
    const lease = await leaseOf(sql, organization);
    const started = await startChange(sql, organization, { seats: 6 });

    assert.deepEqual(await reconcile(sql, lease, [subscription]), []);

    assert.equal((await changeOf(sql, started)).state, "open");
    await assertStanding(sql, organization, { purchased: 10, renewal: 6 });
  }));

Deno.test("a sweep whose look at Stripe is older than an answer changes nothing", () =>
  withTransaction(async (sql) => {
    const { organization, subscription } = await subscribed(sql);
    const started = await startChange(sql, organization, { seats: 12 });
    const lease = await leaseOf(sql, organization);
    await settleChange(sql, started, { subscription: changedBy(started, subscription) });

    assert.deepEqual(await reconcile(sql, lease, [subscription]), []);

    assert.equal((await changeOf(sql, started)).state, "completed");
    await assertStanding(sql, organization, { purchased: 12, renewal: 12 });
  }));

for (const seats of [12, 6]) {
  Deno.test(`Stripe's answer to ${seats} seats outweighs a sweep that was too early`, () =>
    withTransaction(async (sql) => {
      const { organization, subscription, started } = await underWay(sql, seats, "open");
      await sweep(sql, organization, subscription);
      assert.equal((await changeOf(sql, started)).state, "failed");

      const made = changedBy(started, subscription);
      const settled = await settleChange(sql, started, { subscription: made });

      assert.equal(settled.state, seats === 12 ? "completed" : "scheduled");
      await assertStanding(sql, organization, { purchased: Math.max(seats, 10), renewal: seats });
      await assertAtRest(sql, organization, made);
    }));
}

Deno.test("Stripe's answer counts though a sweep was too early and another change has begun", () =>
  withTransaction(async (sql) => {
    const { organization, subscription, started } = await underWay(sql, 12, "open");
    await sweep(sql, organization, subscription);
    const next = await startChange(sql, organization, { seats: 14 });
    const twelve = changedBy(started, subscription);

    const settled = await settleChange(sql, started, { subscription: twelve });

    assert.equal(settled.state, "completed");
    await assertStanding(sql, organization, { purchased: 12, renewal: 12 });
    assert.equal((await changeOf(sql, next)).state, "open");
    await refuseChange(sql, next);
    await assertAtRest(sql, organization, twelve);
  }));

Deno.test("a sweep settles the change of an organization whose subscription has ended", () =>
  withTransaction(async (sql) => {
    const { organization, subscription, started } = await underWay(sql, 6, "open");
    const ended = { ...subscription, status: "canceled" };
    await applySubscriptionEvent(sql, subscriptionEvent(ended, second(60), "deleted"));

    await sweep(sql, organization, ended);

    assert.equal((await changeOf(sql, started)).state, "failed");
    await assertStanding(sql, organization, { status: "canceled", purchased: 0, renewal: 0 });
  }));

Deno.test("a sweep leaves the changes of others alone", () =>
  withTransaction(async (sql) => {
    const one = await underWay(sql, 12, "open");
    const other = await underWay(sql, 12, "open");

    await sweep(sql, one.organization, one.subscription);

    assert.equal((await changeOf(sql, other.started)).state, "open");
  }));

Deno.test("one sweep settles a decrease that never reached Stripe after one that did", () =>
  withTransaction(async (sql) => {
    const { organization, subscription: bought } = await subscribed(sql);
    const six = await makeChange(sql, organization, { seats: 6 }, bought);
    await startChange(sql, organization, { seats: 5 });

    await sweep(sql, organization, six.subscription);

    assert.deepEqual((await changesOf(sql, organization)).map(({ state }) => state), [
      "scheduled",
      "failed",
    ]);
    await assertStanding(sql, organization, { purchased: 10, renewal: 6 });
    await assertAtRest(sql, organization, six.subscription);
  }));
