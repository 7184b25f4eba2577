import assert from "node:assert/strict";
import { readRows } from "../../../local/demo/numbers.ts";
import { stackEnv } from "../../stack.ts";
import { buySeats, openCheckout } from "../checkout.ts";
import { connect } from "../clients.ts";
import { createOrganization, type Organization, settled } from "../organizations.ts";
import { ledgerOutcome, numbersOf } from "../rows.ts";
import { deliverSigned, outcomeOf } from "./deliveries.ts";
import {
  publishedEvent,
  publishedInvoice,
  publishedSession,
  publishedSubscription,
  randomToken,
} from "./published_events.ts";
import { customerOf } from "./subscriptions.ts";

const clients = connect(stackEnv());
const { sql, stripe } = clients;

/** A purchase by a customer, for an organization. */
function purchaseBy(customerId: string, organizationId: string) {
  return {
    organizationId,
    customerId,
    subscriptionId: `sub_${randomToken()}`,
    at: Math.floor(Date.now() / 1000),
  };
}

/** Everything that a purchase makes Stripe say. */
function eventsOf(purchase: ReturnType<typeof purchaseBy>) {
  return [
    publishedEvent(purchase, "customer.subscription.created", publishedSubscription(purchase, 9)),
    publishedEvent(purchase, "invoice.paid", publishedInvoice(purchase)),
    publishedEvent(purchase, "checkout.session.completed", publishedSession(purchase)),
  ];
}

/** Asserts that what happens leaves the rows of an organization as they are. */
async function unchanged(
  { clerkId }: Organization,
  happening: () => Promise<unknown>,
): Promise<void> {
  const before = await readRows(sql, clerkId);
  await happening();
  assert.deepEqual(await readRows(sql, clerkId), before);
}

Deno.test("events of a customer whom we have tied to nobody are ignored", async () => {
  const organization = await createOrganization(clients);
  await unchanged(organization, async () => {
    for (const event of eventsOf(purchaseBy(`cus_${randomToken()}`, organization.id))) {
      assert.equal(await outcomeOf(clients, event), "unknown_customer");
      assert.equal(await ledgerOutcome(sql, event.id), "unknown_customer");
    }
  });
});

Deno.test("events that name another organization than the customer's are ignored", async () => {
  const [payer, other] = await Promise.all([
    createOrganization(clients),
    createOrganization(clients),
  ]);
  const customer = await customerOf(clients, payer);
  await settled(clients, customer);
  await unchanged(payer, () =>
    unchanged(other, async () => {
      for (const event of eventsOf(purchaseBy(customer, other.id))) {
        assert.equal(await outcomeOf(clients, event), "unknown_customer");
      }
    }));
});

Deno.test("an organization id of somebody else's Checkout is not believed", async () => {
  const organization = await createOrganization(clients);
  await openCheckout(clients, organization);
  const stranger = await stripe.customers.create({
    metadata: { organization_id: organization.id },
  });
  await unchanged(organization, async () => {
    const event = publishedEvent(
      purchaseBy(stranger.id, organization.id),
      "checkout.session.completed",
      publishedSession(purchaseBy(stranger.id, organization.id)),
    );
    assert.equal(await outcomeOf(clients, event), "unknown_customer");
  });
});

Deno.test("a subscription to another product of the same customer is ignored", async () => {
  const organization = await createOrganization(clients);
  const { customerId } = await buySeats(clients, organization);
  const price = await stripe.prices.create({
    currency: "usd",
    product_data: { name: "Support" },
    recurring: { interval: "month" },
    unit_amount: 5000,
  });
  await unchanged(organization, async () => {
    const { id, items } = await stripe.subscriptions.create({
      customer: customerId,
      items: [{ price: price.id, quantity: 50 }],
      trial_period_days: 7,
    });
    await stripe.subscriptions.update(id, {
      items: [{ id: items.data[0]?.id ?? "", quantity: 60 }],
    });
    await stripe.subscriptions.cancel(id);
    await settled(clients, customerId);
    const { data } = await stripe.events.list({ limit: 100 });
    const about = data.filter(({ data }) => "id" in data.object && data.object.id === id);
    assert(about.length >= 3);
    for (const event of about) assert.equal(await ledgerOutcome(sql, event.id), "no_seats_sold");
  });
});

Deno.test("seats beside another product on one subscription count alone", async () => {
  const organization = await createOrganization(clients);
  const { customerId, subscriptionId } = await buySeats(clients, organization);
  const price = await stripe.prices.create({
    currency: "usd",
    product_data: { name: "Support" },
    recurring: { interval: "month" },
    unit_amount: 5000,
  });
  await stripe.subscriptions.update(subscriptionId, {
    items: [{ price: price.id, quantity: 50 }],
  });
  await settled(clients, customerId);
  assert.equal((await numbersOf(sql, organization)).limit, 5);
});

Deno.test("a purchase of something that is no subscription is none of ours", async () => {
  const organization = await createOrganization(clients);
  const { customerId } = await buySeats(clients, organization);
  const purchase = purchaseBy(customerId, organization.id);
  await unchanged(organization, async () => {
    await outcomeOf(
      clients,
      publishedEvent(
        purchase,
        "checkout.session.completed",
        publishedSession(purchase, { mode: "payment", subscription: null, invoice: null }),
      ),
    );
    await outcomeOf(
      clients,
      publishedEvent(purchase, "invoice.paid", { ...publishedInvoice(purchase), parent: null }),
    );
  });
});

for (
  const type of [
    "customer.updated",
    "customer.subscription.trial_will_end",
    "invoice.finalized",
    "payment_intent.succeeded",
    "checkout.session.future_event",
    "v2.core.event",
  ]
) {
  Deno.test(`${type} is ignored by name`, async () => {
    const organization = await createOrganization(clients);
    const { customerId } = await buySeats(clients, organization);
    const purchase = purchaseBy(customerId, organization.id);
    const event = publishedEvent(purchase, type, publishedSubscription(purchase, 9));
    await unchanged(organization, async () => {
      const { status, body } = await deliverSigned(clients, event);
      assert.equal(status, 200);
      assert.deepEqual(body, { received: true, outcome: "ignored", reason: "unhandled_type" });
    });
    assert.equal(await ledgerOutcome(sql, event.id), null);
  });
}
