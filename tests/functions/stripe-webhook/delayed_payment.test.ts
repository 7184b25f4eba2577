import assert from "node:assert/strict";
import { permutations } from "../../database/orders.ts";
import { stackEnv } from "../../stack.ts";
import { assertRefused } from "../api.ts";
import { clickBuy, openCheckout } from "../checkout.ts";
import { connect } from "../clients.ts";
import { createOrganization, type Organization, settled } from "../organizations.ts";
import { intentsOf, numbersOf, only } from "../rows.ts";
import { holdingEvents } from "./deliveries.ts";

const clients = connect(stackEnv());
const { sql, stripeControl } = clients;

async function stateOf(organization: Organization): Promise<[string, number]> {
  const { limit } = await numbersOf(sql, organization);
  return [only(await intentsOf(sql, organization)).state, limit];
}

/** A checkout that was completed with a bank debit, of which nobody knows yet how it goes. */
async function completeUnpaid(organization: Organization): Promise<string> {
  const { sessionId } = await openCheckout(clients, organization);
  await stripeControl.payCheckout(sessionId, { method: "later" });
  return sessionId;
}

Deno.test("a bank debit gives no seats while it is under way, and they cannot be bought twice", async () => {
  const organization = await createOrganization(clients);
  await completeUnpaid(organization);
  await settled(clients, organization.id);
  assert.deepEqual(await stateOf(organization), ["awaiting_payment", 0]);

  const details = assertRefused(await clickBuy(clients, organization), 409, "subscription_exists");
  assert.equal(details["purchasedSeats"], 0);
});

Deno.test("a bank debit gives its seats when it succeeds", async () => {
  const organization = await createOrganization(clients);
  const sessionId = await completeUnpaid(organization);
  await settled(clients, organization.id);
  await stripeControl.settleCheckout(sessionId, "succeeded");
  await settled(clients, organization.id);
  assert.deepEqual(await stateOf(organization), ["completed", 5]);
});

Deno.test("a bank debit that fails gives nothing", async () => {
  const organization = await createOrganization(clients);
  const sessionId = await completeUnpaid(organization);
  await settled(clients, organization.id);
  await stripeControl.settleCheckout(sessionId, "failed");
  await settled(clients, organization.id);
  assert.deepEqual(await stateOf(organization), ["failed", 0]);
});

for (
  const order of permutations([
    "checkout.session.completed",
    "customer.subscription.created",
    "checkout.session.async_payment_succeeded",
  ])
) {
  Deno.test(`a bank debit gives its seats when Stripe says ${order.join(", ")}`, async () => {
    const organization = await createOrganization(clients);
    await holdingEvents(clients, organization.id, async () => {
      const sessionId = await completeUnpaid(organization);
      await stripeControl.settleCheckout(sessionId, "succeeded");
    });
    for (const type of order) {
      await stripeControl.release({ contains: organization.id, type });
    }
    assert.deepEqual(await stateOf(organization), ["completed", 5]);
    await stripeControl.release({ contains: organization.id, order: "lifo" });
    assert.deepEqual(await stateOf(organization), ["completed", 5]);
  });
}

for (
  const order of permutations([
    "checkout.session.completed",
    "customer.subscription.created",
    "checkout.session.async_payment_failed",
  ])
) {
  Deno.test(`a failed bank debit gives nothing when Stripe says ${order.join(", ")}`, async () => {
    const organization = await createOrganization(clients);
    await holdingEvents(clients, organization.id, async () => {
      const sessionId = await completeUnpaid(organization);
      await stripeControl.settleCheckout(sessionId, "failed");
    });
    for (const type of order) {
      await stripeControl.release({ contains: organization.id, type });
      assert.equal((await numbersOf(sql, organization)).limit, 0);
    }
    await stripeControl.release({ contains: organization.id, order: "shuffled" });
    assert.deepEqual(await stateOf(organization), ["failed", 0]);
  });
}
