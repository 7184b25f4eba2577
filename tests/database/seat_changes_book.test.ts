import assert from "node:assert/strict";
import { withTransaction } from "./connection.ts";
import { makeOrganization } from "./organizations.ts";
import {
  bookingsOf,
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

Deno.test("the account book tells the life of a subscription, each change once", () =>
  withTransaction(async (sql) => {
    const { organization, subscription: bought } = await subscribed(sql);
    const { length: beginning } = await bookingsOf(sql, organization);
    const ann = "user_ann";

    const twelve = await makeChange(sql, organization, { seats: 12, actor: ann }, bought);
    const refused = await startChange(sql, organization, { seats: 5, actor: "user_bob" });
    await refuseChange(sql, refused);
    const six = await makeChange(
      sql,
      organization,
      { seats: 6, actor: ann },
      twelve.subscription,
    );
    const next = renewed(six.subscription);
    const renewal = subscriptionEvent(next, next.periodStart);
    await applySubscriptionEvent(sql, renewal);
    const yearly = { seats: 7, billingPeriod: "yearly", actor: ann };
    const started = await startChange(sql, organization, yearly);
    const held = { ...next, pendingUpdate: true };
    await settleChange(sql, started, { subscription: held });
    const paid = { ...next, quantity: 7, billingPeriod: "yearly" as const };
    const applied = subscriptionEvent(paid, next.periodStart + 60);
    await applySubscriptionEvent(sql, applied);
    await sweep(sql, organization, { ...paid, quantity: 9 });
    const ended = subscriptionEvent(
      { ...paid, quantity: 9, status: "canceled" },
      second(400 * 24 * 3600),
      "deleted",
    );
    await applySubscriptionEvent(sql, ended);

    const told = (await bookingsOf(sql, organization)).slice(beginning);
    assert.deepEqual(told, [
      {
        actor: ann,
        cause: "settle_seat_change",
        before: { purchased_seats: 10, renewal_seats: 10 },
        after: { purchased_seats: 12, renewal_seats: 12 },
      },
      {
        actor: "user_bob",
        cause: "start_seat_change",
        before: { renewal_seats: 12 },
        after: { renewal_seats: 5 },
      },
      {
        actor: "user_bob",
        cause: "settle_seat_change",
        before: { renewal_seats: 5 },
        after: { renewal_seats: 12 },
      },
      {
        actor: ann,
        cause: "start_seat_change",
        before: { renewal_seats: 12 },
        after: { renewal_seats: 6 },
      },
      {
        actor: "stripe",
        cause: renewal.id,
        before: { purchased_seats: 12 },
        after: { purchased_seats: 6 },
      },
      {
        actor: "stripe",
        cause: applied.id,
        before: { purchased_seats: 6, renewal_seats: 6, seat_billing_period: "monthly" },
        after: { purchased_seats: 7, renewal_seats: 7, seat_billing_period: "yearly" },
      },
      {
        actor: "sync",
        cause: "reconcile_organization",
        before: { purchased_seats: 7, renewal_seats: 7 },
        after: { purchased_seats: 9, renewal_seats: 9 },
      },
      {
        actor: "stripe",
        cause: ended.id,
        before: { status: "active", purchased_seats: 9, renewal_seats: 9 },
        after: { status: "canceled", purchased_seats: 0, renewal_seats: 0 },
      },
    ]);
  }));

Deno.test("the account book tells a plan that changes at renewal when it does", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql);
    const bought = await subscribe(sql, organization, { plan: "max", quantity: 30 });
    const pro = await makeChange(sql, organization, { seats: 15, plan: "pro" }, bought);
    const next = renewed(pro.subscription);
    const renewal = subscriptionEvent(next, next.periodStart);
    await applySubscriptionEvent(sql, renewal);

    assert.deepEqual((await bookingsOf(sql, organization)).at(-1), {
      actor: "stripe",
      cause: renewal.id,
      before: { plan: "max", purchased_seats: 30 },
      after: { plan: "pro", purchased_seats: 15 },
    });
  }));
