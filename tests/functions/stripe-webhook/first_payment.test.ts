import assert from "node:assert/strict";
import { readRows } from "../../../local/demo/numbers.ts";
import { permutations } from "../../database/orders.ts";
import { stackEnv } from "../../stack.ts";
import { buySeats, openCheckout, purchaseOf } from "../checkout.ts";
import { connect } from "../clients.ts";
import { createOrganization, type Organization, settled } from "../organizations.ts";
import { intentsOf, numbersOf, only } from "../rows.ts";
import { deliverSigned, holdingEvents } from "./deliveries.ts";

const clients = connect(stackEnv());
const { sql, stripe, stripeControl } = clients;

const PAID = ["checkout.session.completed", "customer.subscription.created", "invoice.paid"];

/** Every change of purchased seats that the account book has. */
async function bookedSeats({ id }: Organization): Promise<unknown[]> {
  const rows = await sql`
    select actor, before -> 'purchased_seats' as before, after -> 'purchased_seats' as after
    from public.billing_changes
    where organization_id = ${id} and kind = 'subscription' and before ? 'purchased_seats'
    order by id`;
  return rows.map((row) => ({ ...row }));
}

async function assertGranted(organization: Organization, sessionId: string): Promise<void> {
  const { subscriptionId, itemId } = await purchaseOf(clients, sessionId);
  const { status, plan, purchased, limit } = await numbersOf(sql, organization);
  assert.deepEqual(
    { status, plan, purchased, limit },
    { status: "active", plan: "pro", purchased: 5, limit: 5 },
  );
  const { subscription, item, period, renewal, end } = only(
    await sql`
      select stripe_seat_subscription_id as subscription, stripe_seat_item_id as item,
        seat_billing_period as period, renewal_seats as renewal,
        extract(epoch from current_period_end)::integer as end
      from public.organization_subscriptions where organization_id = ${organization.id}`,
  );
  const { items } = await stripe.subscriptions.retrieve(subscriptionId);
  assert.deepEqual({ subscription, item, period, renewal, end }, {
    subscription: subscriptionId,
    item: itemId,
    period: "monthly",
    renewal: 5,
    end: items.data[0]?.current_period_end,
  });
  const intent = only(await intentsOf(sql, organization));
  assert.deepEqual([intent.state, intent.session], ["completed", sessionId]);
  assert.deepEqual(await bookedSeats(organization), [{ actor: "stripe", before: 0, after: 5 }]);
}

for (const order of permutations(PAID)) {
  Deno.test(`a paid checkout gives its seats when Stripe says ${order.join(", ")}`, async () => {
    const organization = await createOrganization(clients);
    const { sessionId } = await openCheckout(clients, organization);
    const held = await holdingEvents(
      clients,
      organization.id,
      () => stripeControl.payCheckout(sessionId),
    );
    assert.deepEqual(new Set(PAID).difference(new Set(held.map(({ type }) => type))), new Set());
    assert.equal((await numbersOf(sql, organization)).limit, 0);

    for (const type of order) {
      const sent = only(await stripeControl.release({ contains: organization.id, type }));
      assert.deepEqual(sent.attempts.map(({ status }) => status), [200]);
    }
    await assertGranted(organization, sessionId);
    await stripeControl.release({ contains: organization.id, order: "shuffled" });
    await assertGranted(organization, sessionId);
  });
}

Deno.test("the first of these events, whichever it is, gives the seats", async () => {
  for (const type of PAID) {
    const organization = await createOrganization(clients);
    const { sessionId } = await openCheckout(clients, organization);
    await holdingEvents(clients, organization.id, () => stripeControl.payCheckout(sessionId));
    await stripeControl.release({ contains: organization.id, type });
    assert.equal((await numbersOf(sql, organization)).limit, 5, type);
  }
});

Deno.test("three deliveries of each event, all at once, give the seats once", async () => {
  const organization = await createOrganization(clients);
  const { sessionId } = await openCheckout(clients, organization);
  const held = await holdingEvents(
    clients,
    organization.id,
    () => stripeControl.payCheckout(sessionId),
  );
  const answers = await Promise.all(
    [...held, ...held.toReversed(), ...held].map(({ payload }) => deliverSigned(clients, payload)),
  );
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
  await assertGranted(organization, sessionId);
});

Deno.test("every event three times more, shuffled, leaves the rows as they are", async () => {
  const organization = await createOrganization(clients);
  await buySeats(clients, organization);
  const before = await readRows(sql, organization.clerkId);

  const answers = await stripeControl.replay({
    contains: organization.id,
    times: 3,
    order: "shuffled",
  });
  assert(answers.length >= 3 * PAID.length);
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
  assert.deepEqual(await readRows(sql, organization.clerkId), before);
});

Deno.test("a declined card gives nothing, and the same session can still be paid", async () => {
  const organization = await createOrganization(clients);
  const { sessionId } = await openCheckout(clients, organization);
  const next = await stripeControl.payCheckout(sessionId, { card: "4000000000000002" });
  assert.match(next, /problem=card_declined/);
  await settled(clients, organization.id);
  assert.equal((await numbersOf(sql, organization)).limit, 0);

  await stripeControl.payCheckout(sessionId);
  await settled(clients, organization.id);
  await assertGranted(organization, sessionId);
});

Deno.test("a payment that the bank asks about gives its seats once it is approved", async () => {
  const organization = await createOrganization(clients);
  const { sessionId } = await openCheckout(clients, organization);
  await stripeControl.payCheckout(sessionId, { card: "4000002760003184" });
  await settled(clients, organization.id);
  assert.equal((await numbersOf(sql, organization)).limit, 0);

  await stripeControl.authenticateCheckout(sessionId, "approve");
  await settled(clients, organization.id);
  await assertGranted(organization, sessionId);
});

Deno.test("an expired session ends the intent, and the next click begins another", async () => {
  const organization = await createOrganization(clients);
  const first = await openCheckout(clients, organization);
  await stripe.checkout.sessions.expire(first.sessionId);
  await settled(clients, organization.id);
  assert.equal(only(await intentsOf(sql, organization)).state, "expired");
  assert.equal((await numbersOf(sql, organization)).limit, 0);

  const second = await openCheckout(clients, organization);
  assert.notEqual(second.sessionId, first.sessionId);
  assert.deepEqual(
    (await intentsOf(sql, organization)).map(({ state }) => state),
    ["expired", "open"],
  );
});
