import assert from "node:assert/strict";
import { stackEnv } from "../../stack.ts";
import { buySeats, openCheckout, purchaseOf } from "../checkout.ts";
import { connect } from "../clients.ts";
import { addMembers, createOrganization } from "../organizations.ts";
import { logged, type ServedFunction, withFunction } from "../served_function.ts";
import { deliver, deliverSigned, holdingEvents, losingEvents } from "./deliveries.ts";
import { publishedEvent, publishedSubscription, randomToken } from "./published_events.ts";

const clients = connect(stackEnv());
const { env, stripe, stripeControl } = clients;

/** Runs with a stripe-webhook whose log can be read, and asserts that it holds no secret. */
function withLog(run: (served: ServedFunction) => Promise<void>): Promise<void> {
  return withFunction(clients, "stripe-webhook", {}, async (served) => {
    await run(served);
    const log = served.lines.join("\n");
    for (
      const secret of [
        env.STRIPE_SECRET_KEY,
        env.STRIPE_WEBHOOK_SECRET,
        env.SUPABASE_SECRET_KEY,
      ]
    ) {
      assert(!log.includes(secret), "The log holds a secret");
    }
  });
}

Deno.test("an event that takes an organization past its limit raises one alert", () =>
  withLog(async (served) => {
    const organization = await createOrganization(clients);
    const { subscriptionId } = await buySeats(clients, organization);
    await addMembers(clients, organization, 1);
    const [canceled] = await holdingEvents(
      clients,
      subscriptionId,
      () => stripe.subscriptions.cancel(subscriptionId),
    );
    assert(canceled !== undefined);
    for (let times = 0; times < 2; times++) {
      const { status } = await deliverSigned(clients, canceled.payload, {}, served.base);
      assert.equal(status, 200);
    }
    const [alert, ...more] = logged(served, "alert");
    assert.deepEqual(more, []);
    assert.equal(alert?.["message"], "over_capacity");
    assert.equal(alert["organizationId"], organization.id);
    assert.equal(alert["eventId"], canceled.eventId);
  }));

Deno.test("a second paid subscription of one organization raises an alert", () =>
  withLog(async (served) => {
    const organization = await createOrganization(clients);
    const { sessionId } = await openCheckout(clients, organization);
    await losingEvents(clients, organization.id, () => stripeControl.payCheckout(sessionId));
    const { customerId } = await purchaseOf(clients, sessionId);
    const purchases = ["a", "b"].map((name) => ({
      organizationId: organization.id,
      customerId,
      subscriptionId: `sub_${name}${randomToken()}`,
      at: Math.floor(Date.now() / 1000),
    }));
    for (const purchase of purchases) {
      const event = publishedEvent(
        purchase,
        "customer.subscription.created",
        publishedSubscription(purchase, 3, { status: "trialing" }),
      );
      assert.equal((await deliverSigned(clients, event, {}, served.base)).status, 200);
    }
    const [alert, ...more] = logged(served, "alert");
    assert.deepEqual(more, []);
    assert.equal(alert?.["message"], "several_subscriptions");
    assert.equal(alert["organizationId"], organization.id);
  }));

Deno.test("an event of an unknown customer is a warning with the event's id", () =>
  withLog(async (served) => {
    const purchase = {
      organizationId: crypto.randomUUID(),
      customerId: `cus_${randomToken()}`,
      subscriptionId: `sub_${randomToken()}`,
      at: Math.floor(Date.now() / 1000),
    };
    const event = publishedEvent(
      purchase,
      "customer.subscription.created",
      publishedSubscription(purchase, 3),
    );
    await deliverSigned(clients, event, {}, served.base);
    const [line] = logged(served);
    assert.deepEqual(
      [line?.["level"], line?.["message"], line?.["eventId"]],
      ["warn", "unknown_customer", event.id],
    );
  }));

Deno.test("a forged event is noted, without its body and its headers", () =>
  withLog(async (served) => {
    const headers = { "stripe-signature": `t=1,v1=${"ab".repeat(32)}` };
    const { body } = await deliver(clients, '{"forged":"body"}', headers, served.base);
    const [line, ...more] = logged(served);
    assert.deepEqual(more, []);
    assert.deepEqual(line, {
      level: "info",
      message: "request refused",
      function: "stripe-webhook",
      requestId: (body as unknown as { requestId: string }).requestId,
      status: 400,
      code: "invalid_signature",
    });
  }));
