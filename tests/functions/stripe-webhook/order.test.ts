import assert from "node:assert/strict";
import { permutations } from "../../database/orders.ts";
import { stackEnv } from "../../stack.ts";
import { buySeats, changeQuantity } from "../checkout.ts";
import { connect } from "../clients.ts";
import { createOrganization, type Organization } from "../organizations.ts";
import { countRequests } from "../requests.ts";
import { numbersOf } from "../rows.ts";
import { deliverSigned, losingEvents, outcomeOf } from "./deliveries.ts";
import {
  type PublishedEvent,
  publishedEvent,
  publishedInvoice,
  type PublishedPurchase,
  publishedSession,
  publishedSubscription,
  randomToken,
} from "./published_events.ts";

const clients = connect(stackEnv());
const { admin, sql, stripe, stripeControl } = clients;

/** A purchase that this stack's Stripe knows nothing of, by a customer who is tied. */
async function foreignPurchase({ id, adminId }: Organization): Promise<PublishedPurchase> {
  const purchase = {
    organizationId: id,
    customerId: `cus_${randomToken()}`,
    subscriptionId: `sub_${randomToken()}`,
    at: Math.floor(Date.now() / 1000) - 3600,
  };
  await admin.rpc("attach_stripe_customer", {
    p_organization_id: id,
    p_stripe_customer_id: purchase.customerId,
    p_actor: adminId,
  }).throwOnError();
  return purchase;
}

/** What Stripe says when 5 seats are bought, and changed to 8 a minute later. */
function storyOf(purchase: PublishedPurchase): PublishedEvent[] {
  return [
    publishedEvent(
      purchase,
      "customer.subscription.created",
      publishedSubscription(purchase, 5),
    ),
    publishedEvent(purchase, "invoice.paid", publishedInvoice(purchase)),
    publishedEvent(purchase, "checkout.session.completed", publishedSession(purchase), 1),
    publishedEvent(
      purchase,
      "customer.subscription.updated",
      publishedSubscription(purchase, 8),
      60,
    ),
  ];
}

/** What the rows say, but for ids that differ from test to test. */
async function resultOf(organization: Organization): Promise<unknown> {
  const { status, plan, purchased, limit } = await numbersOf(sql, organization);
  return { status, plan, purchased, limit };
}

Deno.test("events made elsewhere give the same rows in each of their orders", async () => {
  for (const order of permutations([0, 1, 2, 3])) {
    const organization = await createOrganization(clients);
    const story = storyOf(await foreignPurchase(organization));
    for (const n of order) {
      assert.equal((await deliverSigned(clients, story[n] ?? {})).status, 200);
    }
    assert.deepEqual(
      await resultOf(organization),
      { status: "active", plan: "pro", purchased: 8, limit: 8 },
      order.map((n) => story[n]?.type).join(", "),
    );
  }
});

Deno.test("events made elsewhere, each three times and all at once, give the same rows", async () => {
  const organization = await createOrganization(clients);
  const story = storyOf(await foreignPurchase(organization));
  const answers = await Promise.all(
    [...story, ...story.toReversed(), ...story].map((event) => deliverSigned(clients, event)),
  );
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
  assert.deepEqual(await resultOf(organization), {
    status: "active",
    plan: "pro",
    purchased: 8,
    limit: 8,
  });
});

Deno.test("a cancellation made elsewhere stands, whenever the rest comes", async () => {
  for (const order of permutations([0, 1, 2])) {
    const organization = await createOrganization(clients);
    const purchase = await foreignPurchase(organization);
    const [created = {}, , , updated = {}] = storyOf(purchase);
    const deleted = publishedEvent(
      purchase,
      "customer.subscription.deleted",
      publishedSubscription(purchase, 8, { status: "canceled", ended_at: purchase.at + 120 }),
      120,
    );
    const events = [created, updated, deleted];
    for (const n of order) {
      assert.equal((await deliverSigned(clients, events[n] ?? {})).status, 200);
    }
    const { status, limit } = await numbersOf(sql, organization);
    assert.deepEqual({ status, limit }, { status: "canceled", limit: 0 }, order.join());
  }
});

Deno.test("a second delivery is answered as a duplicate", async () => {
  const organization = await createOrganization(clients);
  const [created = {}] = storyOf(await foreignPurchase(organization));
  assert.equal(await outcomeOf(clients, created), "applied");
  assert.equal(await outcomeOf(clients, created), "duplicate");
});

Deno.test("an event with characters that Postgres has no room for is taken in", async () => {
  const organization = await createOrganization(clients);
  const purchase = await foreignPurchase(organization);
  const [created = {}, paid = {}] = storyOf(purchase);
  const text = JSON.stringify(created)
    .replace('"metadata":{"', '"metadata":{"note\\u0000":"a\\u0000\\ud83d\\\\u0000\\ude00b","');
  assert(text.includes("\\u0000"));
  assert.equal(await outcomeOf(clients, text), "applied");
  assert.equal(await outcomeOf(clients, paid), "applied");
  assert.equal((await numbersOf(sql, organization)).limit, 5);
});

Deno.test("an older event is answered as stale, without asking Stripe", async () => {
  const organization = await createOrganization(clients);
  const purchase = await foreignPurchase(organization);
  const [created = {}, paid = {}, , updated = {}] = storyOf(purchase);
  for (const event of [created, paid, updated]) await outcomeOf(clients, event);
  const older = publishedEvent(
    purchase,
    "customer.subscription.updated",
    publishedSubscription(purchase, 6),
    30,
  );
  const asked = await countRequests(stripeControl, { contains: purchase.subscriptionId });
  assert.equal(await outcomeOf(clients, older), "stale");
  assert.equal(await asked.hits(), 0);
  await asked.remove();
  assert.equal((await numbersOf(sql, organization)).limit, 8);
});

Deno.test("a newer event of a paid subscription is taken in without asking Stripe", async () => {
  const organization = await createOrganization(clients);
  const purchase = await foreignPurchase(organization);
  const [created = {}, paid = {}, , updated = {}] = storyOf(purchase);
  for (const event of [created, paid]) await outcomeOf(clients, event);
  const asked = await countRequests(stripeControl, { contains: purchase.subscriptionId });
  assert.equal(await outcomeOf(clients, updated), "applied");
  assert.equal(await asked.hits(), 0);
  await asked.remove();
});

Deno.test("two events of one second are settled by asking Stripe", async () => {
  for (const lastFirst of [false, true]) {
    const organization = await createOrganization(clients);
    const purchase = await buySeats(clients, organization);
    await losingEvents(clients, purchase.subscriptionId, async () => {
      await changeQuantity(clients, purchase, 9);
      await changeQuantity(clients, purchase, 7);
    });
    const { data } = await stripe.events.list({ type: "customer.subscription.updated" });
    const [second, first] = data.filter(({ data: { object } }) =>
      "id" in object && object.id === purchase.subscriptionId
    );
    assert(first !== undefined && second !== undefined);
    // Ahead of the time at which Stripe was last asked, so that only they two are in question.
    const created = Math.floor(Date.now() / 1000) + 60;
    const tied = [{ ...first, created }, { ...second, created }];

    const asked = await countRequests(stripeControl, {
      method: "GET",
      path: `^/v1/subscriptions/${purchase.subscriptionId}$`,
    });
    for (const event of lastFirst ? tied.toReversed() : tied) await outcomeOf(clients, event);
    assert.equal(await asked.hits(), 1);
    await asked.remove();
    assert.equal((await numbersOf(sql, organization)).limit, 7);
  }
});
