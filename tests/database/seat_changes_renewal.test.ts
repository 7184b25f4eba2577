import assert from "node:assert/strict";
import { withTransaction } from "./connection.ts";
import { permutations } from "./orders.ts";
import { makeOrganization } from "./organizations.ts";
import { rowsOf } from "./rows.ts";
import {
  assertStanding,
  changedBy,
  changeOf,
  changesOf,
  makeChange,
  settleChange,
  standingOf,
  startChange,
} from "./seat_changes.ts";
import {
  applySubscriptionEvent,
  renewed,
  second,
  type StripeSubscription,
  subscribe,
  subscribed,
  type SubscriptionEvent,
  subscriptionEvent,
} from "./paid_subscriptions.ts";

Deno.test("a scheduled decrease keeps the paid seats until the period ends, and not longer", () =>
  withTransaction(async (sql) => {
    const { organization, subscription: bought } = await subscribed(sql);
    const { change, subscription } = await makeChange(sql, organization, { seats: 6 }, bought);
    // What Stripe sends of the decrease itself, and of a card that was replaced.
    await applySubscriptionEvent(sql, subscriptionEvent(subscription, second(5)));
    await applySubscriptionEvent(sql, subscriptionEvent(subscription, second(3600)));
    await assertStanding(sql, organization, { purchased: 10, renewal: 6 });

    const next = renewed(subscription);
    await applySubscriptionEvent(sql, subscriptionEvent(next, next.periodStart));

    await assertStanding(sql, organization, { purchased: 6, renewal: 6 });
    assert.equal((await changeOf(sql, change)).state, "completed");
    const more = await makeChange(sql, organization, { seats: 9 }, next);
    assert.deepEqual([more.change.kind, more.change.state], ["now", "completed"]);
    await assertStanding(sql, organization, { purchased: 9, renewal: 9 });
  }));

Deno.test("a decrease that was scheduled in one period does not hold the seats of the next", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql);
    const bought = await subscribe(sql, organization);
    const six = await makeChange(sql, organization, { seats: 6 }, bought);
    const next = renewed(six.subscription);
    await applySubscriptionEvent(sql, subscriptionEvent(next, next.periodStart));

    const five = await makeChange(sql, organization, { seats: 5 }, next);

    await assertStanding(sql, organization, { purchased: 6, renewal: 5 });
    const afterNext = renewed(five.subscription);
    await applySubscriptionEvent(sql, subscriptionEvent(afterNext, afterNext.periodStart));
    await assertStanding(sql, organization, { purchased: 5, renewal: 5 });
    assert.deepEqual((await changesOf(sql, organization)).map(({ state }) => state), [
      "completed",
      "completed",
    ]);
  }));

/** What happens around a decrease, oldest first: all events, and where the answer may fall. */
function story(before: StripeSubscription): SubscriptionEvent[] {
  const six = { ...before, quantity: 6 };
  const next = renewed(six);
  return [
    subscriptionEvent(six, second(5)),
    subscriptionEvent({ ...six, cancelAtPeriodEnd: true }, second(3600)),
    subscriptionEvent(six, second(7200)),
    subscriptionEvent(next, next.periodStart),
  ];
}

Deno.test("a decrease and its renewal end alike, whatever the order of the events and the answer", () =>
  withTransaction(async (sql) => {
    const outcomes = new Set<string>();
    for (const order of permutations([0, 1, 2, 3, "answer"] as const)) {
      const { organization, subscription: before } = await subscribed(sql);
      const events = story(before);
      const started = await startChange(sql, organization, { seats: 6 });
      let isRenewed = false;
      let now = { subscription: changedBy(started, before), at: second(4) };
      for (const step of order) {
        if (step === "answer") {
          const asked = await settleChange(sql, started, { subscription: now.subscription });
          if (asked.state === "ask_stripe") {
            await settleChange(sql, started, {
              subscription: now.subscription,
              readAt: now.at,
              version: asked.version ?? 0,
            });
          }
        } else {
          const event = events[step];
          assert(event !== undefined);
          // Stripe is as far as the newest event that it has sent.
          if (event.created > now.at) now = { subscription: event.subscription, at: event.created };
          await applySubscriptionEvent(sql, event, now);
          isRenewed ||= step === 3;
        }
        const purchased = isRenewed ? 6 : 10;
        await assertStanding(sql, organization, { purchased, renewal: 6 });
      }
      const [change] = await changesOf(sql, organization);
      outcomes.add(`${change?.state} ${JSON.stringify(await standingOf(sql, organization))}`);
    }
    assert.deepEqual([...outcomes], [
      'completed {"status":"active","plan":"pro","purchased":6,"renewal":6}',
    ]);
  }));

for (const quantity of [5, 8, 10, 12]) {
  Deno.test(`when somebody sets ${quantity} seats at Stripe, a scheduled decrease is over`, () =>
    withTransaction(async (sql) => {
      const { organization, subscription: bought } = await subscribed(sql);
      const { change, subscription } = await makeChange(sql, organization, { seats: 6 }, bought);

      const edited = { ...subscription, quantity };
      await applySubscriptionEvent(sql, subscriptionEvent(edited, second(60)));

      await assertStanding(sql, organization, { purchased: quantity, renewal: quantity });
      assert.equal((await changeOf(sql, change)).state, "superseded");
      // And it does not come back when somebody sets the same number.
      await applySubscriptionEvent(sql, subscriptionEvent(subscription, second(120)));
      await assertStanding(sql, organization, { purchased: 6, renewal: 6 });
    }));
}

Deno.test("when somebody sets another plan at Stripe, a scheduled decrease is over", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql);
    const bought = await subscribe(sql, organization, { plan: "max", quantity: 30 });
    const { change, subscription } = await makeChange(sql, organization, { seats: 25 }, bought);
    await assertStanding(sql, organization, { plan: "max", purchased: 30, renewal: 25 });

    const edited: StripeSubscription = { ...subscription, plan: "ultra" };
    await applySubscriptionEvent(sql, subscriptionEvent(edited, second(60)));

    await assertStanding(sql, organization, { plan: "ultra", purchased: 25, renewal: 25 });
    assert.equal((await changeOf(sql, change)).state, "superseded");
  }));

Deno.test("a scheduled decrease ends with its subscription", () =>
  withTransaction(async (sql) => {
    const { organization, subscription: bought } = await subscribed(sql);
    const { change, subscription } = await makeChange(sql, organization, { seats: 6 }, bought);

    const ended = { ...subscription, status: "canceled" };
    await applySubscriptionEvent(sql, subscriptionEvent(ended, second(60)));

    await assertStanding(sql, organization, { status: "canceled", purchased: 0, renewal: 0 });
    assert.equal((await changeOf(sql, change)).state, "superseded");
    await applySubscriptionEvent(sql, subscriptionEvent(subscription, second(120)));
    await assertStanding(sql, organization, { purchased: 6, renewal: 6 });
  }));

Deno.test("a scheduled decrease outlasts that its subscription is unpaid, heard of or not", () =>
  withTransaction(async (sql) => {
    const { organization, subscription: bought } = await subscribed(sql);
    const { change, subscription } = await makeChange(sql, organization, { seats: 6 }, bought);

    const unpaid = { ...subscription, status: "unpaid" };
    await applySubscriptionEvent(sql, subscriptionEvent(unpaid, second(60)));
    await assertStanding(sql, organization, { status: "unpaid", purchased: 0, renewal: 0 });
    await applySubscriptionEvent(sql, subscriptionEvent(subscription, second(120)));

    await assertStanding(sql, organization, { purchased: 10, renewal: 6 });
    assert.equal((await changeOf(sql, change)).state, "scheduled");
  }));

Deno.test("a decrease of a subscription that has ended says nothing of the next one", () =>
  withTransaction(async (sql) => {
    const { organization, subscription: bought } = await subscribed(sql);
    const { subscription } = await makeChange(sql, organization, { seats: 6 }, bought);
    const ended = { ...subscription, status: "canceled" };
    await applySubscriptionEvent(sql, subscriptionEvent(ended, second(60), "deleted"));

    await subscribe(sql, organization, { created: second(90), quantity: 6 });

    await assertStanding(sql, organization, { status: "active", purchased: 6, renewal: 6 });
  }));

Deno.test("late events of a subscription that has ended change nothing of the next one", () =>
  withTransaction(async (sql) => {
    const { organization, subscription: first } = await subscribed(sql);
    const ended = { ...first, status: "canceled" };
    await applySubscriptionEvent(sql, subscriptionEvent(ended, second(60), "deleted"));
    await subscribe(sql, organization, { created: second(90), quantity: 7 });
    const rows = await rowsOf(sql, organization.clerkOrgId);

    for (const created of [second(10), second(60), second(61)]) {
      const late = { ...first, quantity: 15 };
      await applySubscriptionEvent(sql, subscriptionEvent(late, created), {
        subscription: ended,
        at: second(100),
      });
      const stale = { ...(rows as { subscription: unknown }) };
      assert.deepEqual(
        (await rowsOf(sql, organization.clerkOrgId))["subscription"],
        stale.subscription,
      );
    }
  }));
