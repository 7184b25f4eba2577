import assert from "node:assert/strict";
import { stackEnv } from "../../stack.ts";
import { assertRefused } from "../api.ts";
import { connect } from "../clients.ts";
import { addMembers, createOrganization, settled } from "../organizations.ts";
import { countRequests } from "../requests.ts";
import { changesOf, clickChange, createSubscriber, seatsOf, type Wish } from "./seats.ts";

const clients = connect(stackEnv());
const { stripeControl } = clients;

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
