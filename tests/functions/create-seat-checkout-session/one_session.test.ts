import assert from "node:assert/strict";
import type Stripe from "stripe";
import { stackEnv } from "../../stack.ts";
import { assertRefused } from "../api.ts";
import { clickBuy, openCheckout } from "../checkout.ts";
import { connect } from "../clients.ts";
import { createOrganization, type Organization, settled } from "../organizations.ts";
import { addFault, HOLDUP_MS } from "../requests.ts";
import { intentsOf, only } from "../rows.ts";

const clients = connect(stackEnv());
const { sql, stripe, stripeControl } = clients;

/** The Stripe customers that were made for an organization. */
async function customersOf({ id }: Organization): Promise<Stripe.Customer[]> {
  const { data } = await stripe.customers.list({ limit: 100 });
  return data.filter(({ metadata }) => metadata["organization_id"] === id);
}

/** The Checkout Sessions of an organization's one customer, newest first. */
async function sessionsOf(organization: Organization): Promise<Stripe.Checkout.Session[]> {
  const customer = only(await customersOf(organization)).id;
  return (await stripe.checkout.sessions.list({ customer, limit: 100 })).data;
}

async function openSessionsOf(organization: Organization): Promise<string[]> {
  const sessions = await sessionsOf(organization);
  return sessions.filter(({ status }) => status === "open").map(({ id }) => id);
}

Deno.test("two clicks lead to one session", async () => {
  const organization = await createOrganization(clients);
  const first = await openCheckout(clients, organization);
  assert.deepEqual(await openCheckout(clients, organization), first);
  assert.equal(only(await sessionsOf(organization)).id, first.sessionId);
  assert.equal(only(await intentsOf(sql, organization)).session, first.sessionId);
});

Deno.test("eight clicks at once lead to one session of one customer", async () => {
  const organization = await createOrganization(clients);
  const opened = await Promise.all(
    Array.from({ length: 8 }, () => openCheckout(clients, organization)),
  );
  assert.equal(new Set(opened.map(({ url }) => url)).size, 1);
  const session = only(await sessionsOf(organization));
  assert.deepEqual(new Set(opened.map(({ sessionId }) => sessionId)), new Set([session.id]));
  assert.equal(only(await intentsOf(sql, organization)).session, session.id);
});

for (
  const wish of [
    { seats: 6 },
    { plan: "max", seats: 25 },
    { billingPeriod: "yearly" },
    { successUrl: "http://localhost:3000/elsewhere" },
    { cancelUrl: "http://localhost:3000/elsewhere" },
  ]
) {
  Deno.test(`a click with ${JSON.stringify(wish)} closes the session of the last one`, async () => {
    const organization = await createOrganization(clients);
    const first = await openCheckout(clients, organization);
    const second = await openCheckout(clients, organization, wish);
    assert.notEqual(second.sessionId, first.sessionId);

    const { status } = await stripe.checkout.sessions.retrieve(first.sessionId);
    assert.equal(status, "expired");
    assert.deepEqual(await openSessionsOf(organization), [second.sessionId]);
    await settled(clients, organization.id);
    assert.deepEqual(
      (await intentsOf(sql, organization)).map(({ state, session }) => [state, session]),
      [["expired", first.sessionId], ["open", second.sessionId]],
    );
  });
}

Deno.test("whoever goes back to an earlier wish gets a new session", async () => {
  const organization = await createOrganization(clients);
  const first = await openCheckout(clients, organization, { seats: 5 });
  await openCheckout(clients, organization, { seats: 6 });
  const third = await openCheckout(clients, organization, { seats: 5 });
  assert.notEqual(third.sessionId, first.sessionId);
  assert.deepEqual(await openSessionsOf(organization), [third.sessionId]);
});

Deno.test("of eight different wishes at once one can be paid", async () => {
  const organization = await createOrganization(clients);
  const answers = await Promise.all(
    Array.from({ length: 8 }, (_, n) => clickBuy(clients, organization, { seats: n + 1 })),
  );
  const open = await openSessionsOf(organization);
  assert.equal(open.length, 1);
  for (const answer of answers) {
    if (answer.status !== 200) assertRefused(answer, 409, "checkout_superseded");
  }
  assert(answers.some(({ body }) => body.sessionId === open[0]));
  await settled(clients, organization.id);
  const last = (await intentsOf(sql, organization)).filter(({ state }) => state === "open");
  assert.equal(only(last).session, open[0]);
});

Deno.test("a slow click does not close the session of a later wish", async () => {
  const organization = await createOrganization(clients);
  await openCheckout(clients, organization);
  const { id: customer } = only(await customersOf(organization));
  const slow = await addFault(stripeControl, {
    match: { method: "GET", path: "^/v1/checkout/sessions$", contains: customer },
    kind: "delay",
    delayMs: HOLDUP_MS,
  });
  const early = clickBuy(clients, organization, { seats: 6 });
  await slow.struck(1);
  const late = await openCheckout(clients, organization, { seats: 7 });
  await slow.remove();

  assert.deepEqual(assertRefused(await early, 409, "checkout_superseded"), {
    state: "superseded",
  });
  assert.deepEqual(await openSessionsOf(organization), [late.sessionId]);
});

Deno.test("a session that is being paid wins over another wish", async () => {
  const organization = await createOrganization(clients);
  const first = await openCheckout(clients, organization);
  const slow = await addFault(stripeControl, {
    match: { method: "POST", path: `^/v1/checkout/sessions/${first.sessionId}/expire$` },
    kind: "delay",
    delayMs: HOLDUP_MS,
  });
  const second = clickBuy(clients, organization, { seats: 6 });
  await slow.struck(1);
  await stripeControl.payCheckout(first.sessionId);
  await slow.remove();

  assert.deepEqual(assertRefused(await second, 409, "checkout_superseded"), {
    state: "completed",
  });
  assert.deepEqual(await openSessionsOf(organization), []);
});
