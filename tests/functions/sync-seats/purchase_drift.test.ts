import assert from "node:assert/strict";
import { stackEnv } from "../../stack.ts";
import { buySeats, changeQuantity, openCheckout, purchaseOf } from "../checkout.ts";
import { connect } from "../clients.ts";
import { createOrganization } from "../organizations.ts";
import { intentsOf, numbersOf, only } from "../rows.ts";
import { losingEvents } from "../stripe-webhook/deliveries.ts";
import { kindsOf, sync, syncUntilAgreed } from "./sync.ts";

const clients = connect(stackEnv());
const { sql, stripe, stripeControl } = clients;

Deno.test("a purchase that nobody reported gives its seats", async () => {
  const organization = await createOrganization(clients);
  const { sessionId } = await openCheckout(clients, organization);
  await losingEvents(clients, organization.id, () => stripeControl.payCheckout(sessionId));
  const { subscriptionId } = await purchaseOf(clients, sessionId);
  assert.deepEqual(await syncUntilAgreed(clients, organization), [
    { kind: "subscription", id: subscriptionId, was: "unknown", is: "active 5" },
  ]);
  const { status, purchased, limit } = await numbersOf(sql, organization);
  assert.deepEqual({ status, purchased, limit }, { status: "active", purchased: 5, limit: 5 });
  assert.equal(only(await intentsOf(sql, organization)).state, "completed");
});

Deno.test("a purchase that is not paid yet gives no seats by a sync either", async () => {
  const organization = await createOrganization(clients);
  const { sessionId } = await openCheckout(clients, organization);
  await losingEvents(
    clients,
    organization.id,
    () => stripeControl.payCheckout(sessionId, { method: "later" }),
  );
  const drift = await syncUntilAgreed(clients, organization);
  assert.deepEqual(kindsOf(drift), { subscription: 1 });
  assert.equal((await numbersOf(sql, organization)).limit, 0);

  await losingEvents(
    clients,
    organization.id,
    () => stripeControl.settleCheckout(sessionId, "succeeded"),
  );
  assert.deepEqual(kindsOf(await syncUntilAgreed(clients, organization)), { subscription: 1 });
  assert.equal((await numbersOf(sql, organization)).limit, 5);
});

Deno.test("a quantity that changed unheard is followed, up and down", async () => {
  const organization = await createOrganization(clients);
  const purchase = await buySeats(clients, organization);
  for (const [was, is] of [[5, 9], [9, 2]] as const) {
    await losingEvents(
      clients,
      organization.id,
      () => changeQuantity(clients, purchase, is),
    );
    assert.deepEqual(await syncUntilAgreed(clients, organization), [
      {
        kind: "subscription",
        id: purchase.subscriptionId,
        was: `active ${was}`,
        is: `active ${is}`,
      },
    ]);
    assert.equal((await numbersOf(sql, organization)).limit, is);
  }
});

Deno.test("a cancellation that nobody reported takes the seats, and throws nobody out", async () => {
  const organization = await createOrganization(clients);
  const { subscriptionId } = await buySeats(clients, organization);
  await losingEvents(
    clients,
    organization.id,
    () => stripe.subscriptions.cancel(subscriptionId),
  );
  assert.equal((await sync(clients, organization)).overCapacity, true);
  const { status, limit, members, overCapacity } = await numbersOf(sql, organization);
  assert.deepEqual(
    { status, limit, members, overCapacity },
    { status: "canceled", limit: 0, members: 1, overCapacity: true },
  );
});

Deno.test("purchased seats that someone wrote are what Stripe says again", async () => {
  const organization = await createOrganization(clients);
  const { subscriptionId } = await buySeats(clients, organization);
  await sql`
    update public.organization_subscriptions set purchased_seats = 50, renewal_seats = 50
    where organization_id = ${organization.id}`;
  assert.equal((await numbersOf(sql, organization)).limit, 50);
  assert.deepEqual(await syncUntilAgreed(clients, organization), [
    { kind: "seats", id: subscriptionId, was: "50", is: "5" },
  ]);
  assert.equal((await numbersOf(sql, organization)).limit, 5);
});
