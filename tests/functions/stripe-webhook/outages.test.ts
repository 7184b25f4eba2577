import assert from "node:assert/strict";
import type { FaultInput } from "../../../local/emulation/faults.ts";
import { stackEnv } from "../../stack.ts";
import { assertRefused } from "../api.ts";
import { openCheckout, purchaseOf } from "../checkout.ts";
import { connect } from "../clients.ts";
import { createOrganization, type Organization, settled } from "../organizations.ts";
import { addFault, countRequests } from "../requests.ts";
import { intentsOf, ledgerOutcome, numbersOf, only } from "../rows.ts";
import { closedAddress, withFunction } from "../served_function.ts";
import { deliverSigned, holdingEvents, outcomeOf } from "./deliveries.ts";

const clients = connect(stackEnv());
const { sql, stripeControl } = clients;

/** A checkout that has been paid, and its `customer.subscription.created`, which is held back. */
async function paidAndHeld(organization: Organization) {
  const { sessionId } = await openCheckout(clients, organization);
  const held = await holdingEvents(
    clients,
    organization.id,
    () => stripeControl.payCheckout(sessionId),
  );
  const created = only(held.filter(({ type }) => type === "customer.subscription.created"));
  return { ...await purchaseOf(clients, sessionId), created };
}

async function assertNothingWritten(organization: Organization, eventId: string): Promise<void> {
  assert.equal(await ledgerOutcome(sql, eventId), null);
  const { limit, status } = await numbersOf(sql, organization);
  assert.deepEqual({ limit, status }, { limit: 0, status: "none" });
  assert.equal(only(await intentsOf(sql, organization)).state, "open");
}

Deno.test("while the database cannot be reached Stripe is told to deliver again, and the event lands", async () => {
  const organization = await createOrganization(clients);
  const { created } = await paidAndHeld(organization);
  const settings = { SUPABASE_URL: closedAddress() };
  await withFunction(clients, "stripe-webhook", settings, async ({ base }) => {
    const answer = await deliverSigned(clients, created.payload, {}, base);
    assertRefused(answer, 503, "database_unavailable");
    assert.match(answer.headers.get("retry-after") ?? "", /^\d+$/);
  });
  await assertNothingWritten(organization, created.eventId);

  assert.equal(await outcomeOf(clients, created.payload), "applied");
  assert.equal((await numbersOf(sql, organization)).limit, 5);
});

Deno.test("while the database refuses our key Stripe is told to deliver again", async () => {
  const organization = await createOrganization(clients);
  const { created } = await paidAndHeld(organization);
  const settings = { SUPABASE_SECRET_KEYS: JSON.stringify({ default: "sb_secret_wrong" }) };
  await withFunction(clients, "stripe-webhook", settings, async ({ base }) => {
    assertRefused(
      await deliverSigned(clients, created.payload, {}, base),
      503,
      "database_unavailable",
    );
  });
  await assertNothingWritten(organization, created.eventId);
});

for (
  const [failing, status, code, fault] of [
    ["cannot be reached", 503, "stripe_unavailable", { kind: "drop" }],
    ["answers 500", 503, "stripe_unavailable", { kind: "fail", status: 500 }],
    ["limits us", 503, "stripe_unavailable", { kind: "fail", status: 429 }],
    ["refuses our key", 502, "stripe_error", {
      kind: "fail",
      status: 401,
      body: { error: { type: "invalid_request_error", message: "Invalid API Key provided" } },
    }],
  ] satisfies [string, number, string, Omit<FaultInput, "match">][]
) {
  Deno.test(`while Stripe ${failing} and has to be asked, nothing is written, and then all is right`, async () => {
    const organization = await createOrganization(clients);
    const { subscriptionId, created } = await paidAndHeld(organization);
    const failure = await addFault(stripeControl, {
      ...fault,
      match: { method: "GET", path: `^/v1/subscriptions/${subscriptionId}$` },
      times: 0,
    });
    assertRefused(await deliverSigned(clients, created.payload), status, code);
    await assertNothingWritten(organization, created.eventId);
    await failure.remove();

    assert.equal(await outcomeOf(clients, created.payload), "applied");
    assert.equal((await numbersOf(sql, organization)).limit, 5);
  });
}

Deno.test("how long Stripe asks us to wait is handed on", async () => {
  const organization = await createOrganization(clients);
  const { subscriptionId, created } = await paidAndHeld(organization);
  await addFault(stripeControl, {
    match: { method: "GET", path: `^/v1/subscriptions/${subscriptionId}$` },
    kind: "fail",
    status: 429,
    headers: { "retry-after": "17" },
  });
  const answer = await deliverSigned(clients, created.payload);
  assertRefused(answer, 503, "stripe_unavailable");
  assert.equal(answer.headers.get("retry-after"), "17");
});

Deno.test("Stripe's own retries end in the seats that were paid", async () => {
  const organization = await createOrganization(clients);
  const { subscriptionId } = await paidAndHeld(organization);
  const asked = await addFault(stripeControl, {
    match: { method: "GET", path: `^/v1/subscriptions/${subscriptionId}$` },
    kind: "fail",
    status: 429,
    times: 1,
  });
  await stripeControl.release({ contains: organization.id, order: "shuffled" });
  await settled(clients, organization.id);
  assert.equal(await asked.hits(), 1);
  const deliveries = await stripeControl.deliveries({ contains: organization.id });
  const statuses = deliveries.map(({ attempts }) => attempts.map(({ status }) => status));
  assert.equal(statuses.filter(([first]) => first === 503).length, 1);
  assert(statuses.every((one) => one.at(-1) === 200));
  assert.equal((await numbersOf(sql, organization)).limit, 5);
});

Deno.test("an ordinary first payment asks Stripe once", async () => {
  const organization = await createOrganization(clients);
  const { subscriptionId } = await paidAndHeld(organization);
  const asked = await countRequests(stripeControl, {
    method: "GET",
    path: `^/v1/subscriptions/${subscriptionId}$`,
  });
  await stripeControl.release({ contains: organization.id });
  assert.equal(await asked.hits(), 1);
  await asked.remove();
});
