import assert from "node:assert/strict";
import { stackEnv } from "../../stack.ts";
import { buySeats, openCheckout, purchaseOf } from "../checkout.ts";
import { connect } from "../clients.ts";
import { createOrganization, settled } from "../organizations.ts";
import { intentsOf, numbersOf, only } from "../rows.ts";

const clients = connect(stackEnv());
const { env, sql, stripe, stripeControl } = clients;

Deno.test("the session sells the seats that were wished for at the price of plan and period", async () => {
  for (
    const [plan, seats, billingPeriod, total] of [
      ["pro", 1, "monthly", 2900],
      ["pro", 20, "yearly", 29_000 + 17 * 9000],
      ["max", 21, "monthly", 18_900],
      ["ultra", 100, "yearly", 429_000 + 49 * 7000],
    ] as const
  ) {
    const organization = await createOrganization(clients);
    const { sessionId } = await openCheckout(clients, organization, { plan, seats, billingPeriod });
    const session = await stripe.checkout.sessions.retrieve(sessionId, { expand: ["line_items"] });
    const line = only(session.line_items?.data ?? []);
    assert.equal(session.mode, "subscription");
    assert.equal(line.price?.lookup_key, `seatkeeper_${plan}_${billingPeriod}`);
    assert.equal(line.quantity, seats);
    assert.equal(session.amount_total, total);
  }
});

Deno.test("the session and the subscription name the organization and the intent", async () => {
  const organization = await createOrganization(clients);
  const { sessionId, url } = await openCheckout(clients, organization);
  const session = await stripe.checkout.sessions.retrieve(sessionId);
  const intent = only(await intentsOf(sql, organization));
  const metadata = {
    organization_id: organization.id,
    seat_change_id: intent.id,
    plan: "pro",
    billing_period: "monthly",
  };
  assert.equal(session.url, url);
  assert.equal(session.client_reference_id, organization.id);
  assert.deepEqual(session.metadata, metadata);

  await stripeControl.payCheckout(sessionId);
  await settled(clients, organization.id);
  const { subscriptionId } = await purchaseOf(clients, sessionId);
  assert.deepEqual((await stripe.subscriptions.retrieve(subscriptionId)).metadata, metadata);
});

Deno.test("the intent is recorded with who it is from, and nothing is granted", async () => {
  const organization = await createOrganization(clients);
  const { sessionId } = await openCheckout(clients, organization, {
    plan: "max",
    seats: 30,
    billingPeriod: "yearly",
  });
  const { id: _, ...intent } = only(await intentsOf(sql, organization));
  assert.deepEqual(intent, {
    state: "open",
    plan: "max",
    period: "yearly",
    seats: 30,
    session: sessionId,
    actor: organization.adminId,
  });
  const { status, purchased, limit } = await numbersOf(sql, organization);
  assert.deepEqual({ status, purchased, limit }, { status: "none", purchased: 0, limit: 0 });
});

Deno.test("the session ends with the intent, within the day that Stripe keeps its key", async () => {
  const organization = await createOrganization(clients);
  const { sessionId } = await openCheckout(clients, organization);
  const { expires_at, created } = await stripe.checkout.sessions.retrieve(sessionId);
  const { ends } = only(
    await sql<{ ends: number }[]>`
      select extract(epoch from expires_at)::integer as ends
      from public.seat_changes where organization_id = ${organization.id}`,
  );
  assert.equal(expires_at, ends);
  assert(expires_at > created + 22 * 3600 && expires_at < created + 24 * 3600);
});

Deno.test("the customer is made for the organization, under its name", async () => {
  const organization = await createOrganization(clients, "Ærø & Søn");
  const { sessionId } = await openCheckout(clients, organization);
  const { customer: customerId } = await stripe.checkout.sessions.retrieve(sessionId);
  const customer = await stripe.customers.retrieve(String(customerId));
  assert(customer.deleted !== true);
  assert.equal(customer.name, "Ærø & Søn");
  assert.deepEqual(customer.metadata, { organization_id: organization.id });
  const { tied } = only(
    await sql<{ tied: string }[]>`
      select stripe_customer_id as tied from public.organization_subscriptions
      where organization_id = ${organization.id}`,
  );
  assert.equal(tied, customer.id);
});

Deno.test("a customer who was deleted in Stripe is replaced, and seats can be bought again", async () => {
  const organization = await createOrganization(clients);
  const { customerId } = await buySeats(clients, organization);
  await stripe.customers.del(customerId);
  await settled(clients, customerId);
  assert.equal((await numbersOf(sql, organization)).limit, 0);

  const again = await buySeats(clients, organization, { seats: 7 });
  assert.notEqual(again.customerId, customerId);
  assert.equal((await numbersOf(sql, organization)).limit, 7);
});

Deno.test("Checkout returns to the site unless told otherwise", async () => {
  const organization = await createOrganization(clients);
  const { sessionId } = await openCheckout(clients, organization);
  const { cancel_url } = await stripe.checkout.sessions.retrieve(sessionId);
  assert.equal(cancel_url, `${env.SITE_URL}/billing?checkout=cancelled`);
  assert.equal(
    await stripeControl.payCheckout(sessionId),
    `${env.SITE_URL}/billing?checkout=success&session_id=${sessionId}`,
  );
});

Deno.test("Checkout returns to the addresses that were wished for", async () => {
  const organization = await createOrganization(clients);
  const { sessionId } = await openCheckout(clients, organization, {
    successUrl: `${env.SITE_URL}/seats?id={CHECKOUT_SESSION_ID}#done`,
    cancelUrl: `${env.SITE_URL}/seats`,
  });
  const { cancel_url } = await stripe.checkout.sessions.retrieve(sessionId);
  assert.equal(cancel_url, `${env.SITE_URL}/seats`);
  assert.equal(
    await stripeControl.payCheckout(sessionId),
    `${env.SITE_URL}/seats?id=${sessionId}#done`,
  );
});

Deno.test("after its subscription has ended an organization buys again as the same customer", async () => {
  const organization = await createOrganization(clients);
  const first = await buySeats(clients, organization);
  await stripe.subscriptions.cancel(first.subscriptionId);
  await settled(clients, first.subscriptionId);
  assert.equal((await numbersOf(sql, organization)).limit, 0);

  const second = await buySeats(clients, organization, { seats: 8 });
  assert.equal(second.customerId, first.customerId);
  assert.notEqual(second.subscriptionId, first.subscriptionId);
  const { status, limit } = await numbersOf(sql, organization);
  assert.deepEqual({ status, limit }, { status: "active", limit: 8 });
});
