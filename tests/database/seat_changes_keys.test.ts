import assert from "node:assert/strict";
import { withTransaction } from "./connection.ts";
import { addMembers } from "./organizations.ts";
import { second, subscribed } from "./paid_subscriptions.ts";
import { randomId } from "./random_id.ts";
import { assertRefused } from "./seat_change_refusals.ts";
import { makeChange, refuseChange, settleChange, startChange } from "./seat_changes.ts";

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
