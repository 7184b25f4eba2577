import assert from "node:assert/strict";
import { stackEnv } from "../../stack.ts";
import { assertRefused } from "../api.ts";
import { changeQuantity } from "../checkout.ts";
import { connect } from "../clients.ts";
import { settled } from "../organizations.ts";
import { addFault, countRequests } from "../requests.ts";
import {
  type Change,
  change,
  changesOf,
  clickChange,
  createSubscriber,
  laterInvoices,
  preview,
  seatsOf,
  subscriptionOf,
  summaryOf,
} from "./seats.ts";

const clients = connect(stackEnv());
const { stripeControl } = clients;

Deno.test("more seats are charged once and granted at once", async () => {
  const subscriber = await createSubscriber(clients);

  const { status, body } = await clickChange(clients, subscriber, { seats: 9 });

  assert.equal(status, 200);
  const { seatChangeId, ...rest } = body;
  assert.match(seatChangeId, /^[0-9a-f-]{36}$/);
  assert.deepEqual(rest, {
    state: "completed",
    kind: "now",
    seats: 9,
    plan: "pro",
    billingPeriod: "monthly",
    effectiveAt: null,
    paymentUrl: null,
    error: null,
  });
  assert.deepEqual(await seatsOf(clients, subscriber), { plan: "pro", purchased: 9, renewal: 9 });
  const [invoice, ...others] = await laterInvoices(clients, subscriber);
  assert.deepEqual([invoice?.status, others], ["paid", []]);
  await settled(clients, subscriber.subscriptionId);
  assert.deepEqual(await seatsOf(clients, subscriber), { plan: "pro", purchased: 9, renewal: 9 });
});

Deno.test("the same key again is answered alike and charges nothing more", async () => {
  const subscriber = await createSubscriber(clients);
  const key = crypto.randomUUID();
  const first = await clickChange(clients, subscriber, { seats: 9 }, key);
  const updates = await countRequests(stripeControl, {
    method: "POST",
    contains: subscriber.subscriptionId,
  });

  const second = await clickChange(clients, subscriber, { seats: 9 }, key);

  assert.deepEqual([second.status, second.body], [first.status, first.body]);
  assert.equal(await updates.hits(), 0);
  assert.equal((await laterInvoices(clients, subscriber)).length, 1);
});

Deno.test("the same key with another wish is refused", async () => {
  const subscriber = await createSubscriber(clients);
  const key = crypto.randomUUID();
  await clickChange(clients, subscriber, { seats: 9 }, key);
  for (const wish of [{ seats: 10 }, { seats: 9, billingPeriod: "yearly" }]) {
    const answer = await clickChange(clients, subscriber, wish, key);
    assertRefused(answer, 422, "idempotency_key_reused");
  }
  assert.equal((await seatsOf(clients, subscriber)).purchased, 9);
});

Deno.test("eight clicks at once with one key are one change and one charge", async () => {
  const subscriber = await createSubscriber(clients);
  const key = crypto.randomUUID();

  const answers = await Promise.all(
    Array.from({ length: 8 }, () => clickChange(clients, subscriber, { seats: 9 }, key)),
  );

  for (const { status, body } of answers) {
    assert.deepEqual([status, body.state], [200, "completed"], JSON.stringify(body));
  }
  assert.equal((await laterInvoices(clients, subscriber)).length, 1);
  assert.deepEqual((await changesOf(clients, subscriber)).map(({ state }) => state), ["completed"]);
});

Deno.test("one change at a time: eight different ones at once, one is made", async () => {
  const subscriber = await createSubscriber(clients);
  await addFault(stripeControl, {
    match: { method: "POST", contains: subscriber.subscriptionId },
    kind: "delay",
    delayMs: 500,
  });

  const answers = await Promise.all(
    Array.from({ length: 8 }, () => clickChange(clients, subscriber, { seats: 9 })),
  );

  const refused = answers.filter(({ status }) => status !== 200);
  assert.equal(refused.length, 7);
  for (const answer of refused) assertRefused(answer, 409, "change_in_progress");
  assert.equal((await laterInvoices(clients, subscriber)).length, 1);
});

Deno.test("from 20 of plan pro to 21 of plan max is charged now, in one call", async () => {
  const subscriber = await createSubscriber(clients, { seats: 20 });

  const { kind, state } = await change(clients, subscriber, { seats: 21, plan: "max" });

  assert.deepEqual([kind, state], ["now", "completed"]);
  assert.deepEqual(await seatsOf(clients, subscriber), { plan: "max", purchased: 21, renewal: 21 });
  const { quantity, lookupKey } = await subscriptionOf(clients, subscriber);
  assert.deepEqual([quantity, lookupKey], [21, "seatkeeper_max_monthly"]);
  assert.equal((await laterInvoices(clients, subscriber)).length, 1);
});

Deno.test("from monthly to yearly is charged now, and begins a new period", async () => {
  const subscriber = await createSubscriber(clients);

  const { kind, state } = await change(clients, subscriber, { seats: 5, billingPeriod: "yearly" });

  assert.deepEqual([kind, state], ["now", "completed"]);
  const { subscription, lookupKey } = await subscriptionOf(clients, subscriber);
  assert.equal(lookupKey, "seatkeeper_pro_yearly");
  const [item] = subscription.items.data;
  const days = ((item?.current_period_end ?? 0) - (item?.current_period_start ?? 0)) / 86_400;
  assert(days >= 365);
  const seen = await summaryOf<{ currentPeriodEnd: string }>(clients, subscriber);
  assert.equal(Date.parse(seen.currentPeriodEnd) / 1000, item?.current_period_end);
});

Deno.test("a change charges what its preview showed", async () => {
  const subscriber = await createSubscriber(clients);
  for (
    const wish of [
      { seats: 9 },
      { seats: 9, billingPeriod: "yearly" },
      { seats: 25, plan: "max" },
    ]
  ) {
    const { dueToday, prorationDate, outcome } = await preview(clients, subscriber, wish);
    assert.equal(outcome, "now");
    await change(clients, subscriber, { ...wish, prorationDate });
    assert.equal((await laterInvoices(clients, subscriber)).at(-1)?.amount_due, dueToday);
  }
});

Deno.test("a quantity that is changed at Stripe meanwhile is followed after a change", async () => {
  const subscriber = await createSubscriber(clients);
  await change(clients, subscriber, { seats: 9 });
  await changeQuantity(clients, subscriber, 7);

  const again: Change = await change(clients, subscriber, { seats: 8 });

  assert.equal(again.kind, "now");
  assert.deepEqual(await seatsOf(clients, subscriber), { plan: "pro", purchased: 8, renewal: 8 });
});
