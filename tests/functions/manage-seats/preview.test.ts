import assert from "node:assert/strict";
import { stackEnv } from "../../stack.ts";
import { connect } from "../clients.ts";
import { changesOf, createSubscriber, periodEnd, preview, subscriptionOf } from "./seats.ts";

const clients = connect(stackEnv());

Deno.test("a preview shows the cost before and after, and changes nothing", async () => {
  const subscriber = await createSubscriber(clients);

  const shown = await preview(clients, subscriber, { seats: 9 });

  const price = {
    plan: "pro",
    billingPeriod: "monthly",
    currency: "usd",
    baseAmount: 2900,
    seatAmount: 900,
    includedSeats: 3,
  };
  assert.deepEqual(shown.before, {
    ...price,
    seats: 5,
    extraSeats: 2,
    extraAmount: 1800,
    total: 4700,
  });
  assert.deepEqual(shown.after, {
    ...price,
    seats: 9,
    extraSeats: 6,
    extraAmount: 5400,
    total: 8300,
  });
  assert.equal(shown.outcome, "now");
  assert(shown.dueToday > 0 && shown.dueToday <= 3600);
  assert.deepEqual(shown.nextInvoice, { date: await periodEnd(clients, subscriber), amount: 8300 });
  assert.match(shown.prorationDate ?? "", /^\d{4}-\d\d-\d\dT/);
  assert.deepEqual(await changesOf(clients, subscriber), []);
  assert.equal((await subscriptionOf(clients, subscriber)).quantity, 5);
});

Deno.test("a preview of fewer seats is free today, and says from when it counts", async () => {
  const subscriber = await createSubscriber(clients);

  const shown = await preview(clients, subscriber, { seats: 3 });

  const end = await periodEnd(clients, subscriber);
  assert.deepEqual(
    [shown.outcome, shown.dueToday, shown.prorationDate, Date.parse(shown.effectiveAt)],
    ["renewal", 0, null, Date.parse(end)],
  );
  assert.deepEqual(shown.nextInvoice, { date: end, amount: 2900 });
});

Deno.test("a preview of a change that would be refused says so", async () => {
  const subscriber = await createSubscriber(clients);
  const { outcome, code, details } = await preview(clients, subscriber, { seats: 21 });
  assert.deepEqual([outcome, code], ["refused", "seats_out_of_bounds"]);
  assert.deepEqual(details, {
    plan: "pro",
    seats: 21,
    minSeats: 1,
    maxSeats: 20,
    fittingPlan: "max",
  });
});
