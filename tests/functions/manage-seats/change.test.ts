import assert from "node:assert/strict";
import { stackEnv } from "../../stack.ts";
import { assertRefused } from "../api.ts";
import { connect } from "../clients.ts";
import { addMembers, createOrganization, settled } from "../organizations.ts";
import { addFault, countRequests } from "../requests.ts";
import {
  callSeats,
  type Change,
  change,
  changesOf,
  clickChange,
  createSubscriber,
  laterInvoices,
  preview,
  seatsOf,
  subscriptionOf,
  type Wish,
} from "./seats.ts";

const clients = connect(stackEnv());
const { stripe, stripeControl } = clients;

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

const refusals: [string, Wish, number, string, Record<string, unknown>][] = [
  ["21 seats of plan pro", { seats: 21 }, 422, "seats_out_of_bounds", {
    plan: "pro",
    seats: 21,
    minSeats: 1,
    maxSeats: 20,
    fittingPlan: "max",
  }],
  ["an unknown plan", { seats: 9, plan: "huge" }, 400, "unknown_plan", {
    plan: "huge",
    plans: ["pro", "max", "ultra"],
  }],
  ["fewer seats than are in use", { seats: 2 }, 409, "seats_below_usage", {
    seats: 2,
    seatsUsed: 3,
  }],
  ["what is so already", { seats: 5 }, 409, "nothing_to_change", {}],
];

for (const [what, wish, status, code, details] of refusals) {
  Deno.test(`${what} is refused before Stripe is asked`, async () => {
    const subscriber = await createSubscriber(clients);
    await addMembers(clients, subscriber, 2);
    const requests = await countRequests(stripeControl, { contains: subscriber.subscriptionId });

    const answer = await clickChange(clients, subscriber, wish);

    assert.deepEqual(assertRefused(answer, status, code), details);
    assert.equal(await requests.hits(), 0);
    assert.deepEqual(await changesOf(clients, subscriber), []);
  });
}

Deno.test("without a subscription the refusal says where to buy one", async () => {
  const organization = await createOrganization(clients);
  const answer = await clickChange(clients, organization, { seats: 9 });
  assert.deepEqual(assertRefused(answer, 409, "no_subscription"), {
    status: "none",
    buyWith: "create-seat-checkout-session",
  });
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
  const { status, body } = await callSeats<{ currentPeriodEnd: string }>(
    clients,
    subscriber,
    "GET",
    "",
  );
  assert.equal(status, 200);
  assert.equal(Date.parse(body.currentPeriodEnd) / 1000, item?.current_period_end);
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

Deno.test("after ten invoices in a minute the next one is refused before Stripe is asked", async () => {
  const subscriber = await createSubscriber(clients);
  for (let seats = 6; seats < 16; seats++) await clickChange(clients, subscriber, { seats });
  // A webhook may ask Stripe, too.
  await settled(clients, subscriber.subscriptionId);
  const requests = await countRequests(stripeControl, { contains: subscriber.subscriptionId });

  const answer = await clickChange(clients, subscriber, { seats: 16 });

  const { retryAt, retryAfter } = assertRefused(answer, 429, "too_many_changes");
  assert(Date.parse(String(retryAt)) > Date.now());
  assert(Number(retryAfter) > 0 && Number(retryAfter) <= 60);
  assert.equal(await requests.hits(), 0);
  assert.equal((await seatsOf(clients, subscriber)).purchased, 15);
});

for (
  const [what, seconds] of [
    ["of years ago", -6 * 365 * 86_400],
    ["of before the period", -30],
    ["near the period's end, which would cost nothing", 27 * 86_400],
    ["of in a minute", 90],
    ["of the year 9999", 251_000_000_000],
  ] as const
) {
  Deno.test(`a proration date ${what} is refused before Stripe is asked`, async () => {
    const subscriber = await createSubscriber(clients);
    const requests = await countRequests(stripeControl, {
      method: "POST",
      contains: subscriber.subscriptionId,
    });
    const prorationDate = new Date(Date.now() + seconds * 1000).toISOString();

    const answer = await clickChange(clients, subscriber, { seats: 9, prorationDate });

    const { earliest, latest } = assertRefused(answer, 422, "proration_date_out_of_range");
    assert(Date.parse(String(earliest)) <= Date.now() && Date.parse(String(latest)) > Date.now());
    assert.equal(await requests.hits(), 0);
    assert.deepEqual(await changesOf(clients, subscriber), []);
  });
}

Deno.test("a quantity that is changed at Stripe meanwhile is followed after a change", async () => {
  const subscriber = await createSubscriber(clients);
  await change(clients, subscriber, { seats: 9 });
  await stripe.subscriptions.update(subscriber.subscriptionId, {
    items: [{ id: subscriber.itemId, quantity: 7 }],
  });
  await settled(clients, subscriber.subscriptionId);

  const again: Change = await change(clients, subscriber, { seats: 8 });

  assert.equal(again.kind, "now");
  assert.deepEqual(await seatsOf(clients, subscriber), { plan: "pro", purchased: 8, renewal: 8 });
});
