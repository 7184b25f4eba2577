import assert from "node:assert/strict";
import type { FaultInput } from "../../../local/emulation/faults.ts";
import { stackEnv } from "../../stack.ts";
import { assertRefused } from "../api.ts";
import { clickBuy, openCheckout } from "../checkout.ts";
import { connect } from "../clients.ts";
import { createOrganization, settled } from "../organizations.ts";
import { addFault } from "../requests.ts";
import { intentsOf, numbersOf, only } from "../rows.ts";

const clients = connect(stackEnv());
const { sql, stripe, stripeControl } = clients;

/** How often the function's Stripe client tries a request that gets no proper answer. */
const TRIES = 3;

const REFUSAL = {
  kind: "fail",
  status: 400,
  body: { error: { type: "invalid_request_error", message: "No such thing: 'sk_test_1234'" } },
} satisfies Omit<FaultInput, "match">;

const FAILURES: [string, number, string, Omit<FaultInput, "match">][] = [
  ["cannot be reached", 503, "stripe_unavailable", { kind: "drop" }],
  ["answers 503", 503, "stripe_unavailable", { kind: "fail", status: 503 }],
  ["answers 500", 503, "stripe_unavailable", { kind: "fail", status: 500 }],
  ["limits us", 503, "stripe_unavailable", { kind: "fail", status: 429 }],
  ["refuses", 502, "stripe_error", REFUSAL],
];

const CALLS: [string, FaultInput["match"]][] = [
  ["the customer", { method: "POST", path: "^/v1/customers$" }],
  ["the session", { method: "POST", path: "^/v1/checkout/sessions$" }],
];

for (const [object, match] of CALLS) {
  for (const [failing, status, code, fault] of FAILURES) {
    Deno.test(`while Stripe ${failing} for ${object} nothing is sold, and then one session`, async () => {
      const organization = await createOrganization(clients);
      const struck = await addFault(stripeControl, {
        ...fault,
        match: { ...match, contains: organization.id },
        times: 0,
      });
      const first = await clickBuy(clients, organization);
      assert.deepEqual(assertRefused(first, status, code), {});
      if (status === 503) assert.match(first.headers.get("retry-after") ?? "", /^\d+$/);
      await struck.remove();

      const { sessionId } = await openCheckout(clients, organization);
      await assertOneSession(organization.id, sessionId);
    });
  }
}

/** Asserts that of all that was made for an organization, this session alone can be paid. */
async function assertOneSession(organizationId: string, sessionId: string): Promise<void> {
  const { data } = await stripe.checkout.sessions.list({ status: "open", limit: 100 });
  const open = data.filter(({ client_reference_id: id }) => id === organizationId);
  assert.deepEqual(open.map(({ id }) => id), [sessionId]);
}

for (const [object, match] of CALLS) {
  Deno.test(`a lost answer with ${object} goes unnoticed`, async () => {
    const organization = await createOrganization(clients);
    const lost = await addFault(stripeControl, {
      match: { ...match, contains: organization.id },
      kind: "lose_answer",
    });
    const { sessionId } = await openCheckout(clients, organization);
    assert.equal(await lost.hits(), 1);
    await assertOneSession(organization.id, sessionId);
  });
}

Deno.test("seats are granted though the answer with the session had not come yet", async () => {
  const organization = await createOrganization(clients);
  const lost = await addFault(stripeControl, {
    match: { method: "POST", path: "^/v1/checkout/sessions$", contains: organization.id },
    kind: "lose_answer",
  });
  const click = clickBuy(clients, organization);
  await lost.struck(1);
  const { data } = await stripe.checkout.sessions.list({ status: "open", limit: 100 });
  const { id } = only(data.filter(({ client_reference_id: id }) => id === organization.id));
  await stripeControl.payCheckout(id);
  await settled(clients, organization.id);
  await click;

  assert.equal((await numbersOf(sql, organization)).limit, 5);
  const intent = only(await intentsOf(sql, organization));
  assert.deepEqual([intent.state, intent.session], ["completed", id]);
});

Deno.test("after an outage the next click takes the intent up again", async () => {
  const organization = await createOrganization(clients);
  await addFault(stripeControl, {
    match: { method: "POST", path: "^/v1/checkout/sessions$", contains: organization.id },
    kind: "drop",
    times: TRIES,
  });
  await clickBuy(clients, organization);
  const left = only(await intentsOf(sql, organization));
  assert.deepEqual([left.state, left.session], ["open", null]);

  const { sessionId } = await openCheckout(clients, organization);
  const taken = only(await intentsOf(sql, organization));
  assert.deepEqual([taken.id, taken.session], [left.id, sessionId]);
});

Deno.test("after an error of Stripe's the next click begins another intent", async () => {
  for (const fault of [REFUSAL, { kind: "fail", status: 500 } as const]) {
    const organization = await createOrganization(clients);
    await addFault(stripeControl, {
      ...fault,
      match: { method: "POST", path: "^/v1/checkout/sessions$", contains: organization.id },
    });
    await clickBuy(clients, organization);
    assert.equal(only(await intentsOf(sql, organization)).state, "superseded");

    const { sessionId } = await openCheckout(clients, organization);
    assert.deepEqual(
      (await intentsOf(sql, organization)).map(({ state, session }) => [state, session]),
      [["superseded", null], ["open", sessionId]],
    );
  }
});

Deno.test("an error that Stripe keeps for the customer does not stand in the way", async () => {
  const organization = await createOrganization(clients);
  const kept = await addFault(stripeControl, {
    match: { method: "POST", path: "^/v1/customers$", contains: organization.id },
    kind: "fail",
    status: 500,
  });
  await openCheckout(clients, organization);
  assert.equal(await kept.hits(), 1);
});

Deno.test("a session that Stripe opened though it answered 500 is closed by the next click", async () => {
  const organization = await createOrganization(clients);
  const first = await openCheckout(clients, organization);
  await sql`
    update public.seat_changes set state = 'superseded', stripe_checkout_session_id = null
    where organization_id = ${organization.id}`;
  const second = await openCheckout(clients, organization);
  assert.notEqual(second.sessionId, first.sessionId);
  await assertOneSession(organization.id, second.sessionId);
});

Deno.test("a plan without a price in Stripe is the operator's to mend", async () => {
  const organization = await createOrganization(clients);
  await addFault(stripeControl, {
    match: { method: "GET", path: "^/v1/prices$", contains: "seatkeeper_ultra_yearly" },
    kind: "fail",
    status: 200,
    body: { object: "list", data: [], has_more: false, url: "/v1/prices" },
  });
  const wish = { plan: "ultra", seats: 60, billingPeriod: "yearly" };
  assert.deepEqual(
    assertRefused(await clickBuy(clients, organization, wish), 503, "price_not_found"),
    { lookupKey: "seatkeeper_ultra_yearly" },
  );
});
