import assert from "node:assert/strict";
import { Stripe } from "stripe";
import {
  clientOf,
  lastEvent,
  prices,
  SECRET_KEY,
  subscribe,
  withStripe,
  withWebhooks,
} from "./emulation.ts";
import { startReceiver } from "../emulation/receiver.ts";

Deno.test("an event arrives signed so that the SDK accepts it, and is the one in the list", () =>
  withWebhooks(async ({ stripe, control, receiver, secret }) => {
    const customer = await stripe.customers.create({ email: "a@example.com" }, {
      idempotencyKey: "key_1",
    });
    await control.settle({ contains: customer.id });
    const [{ body, headers } = { body: "", headers: new Headers() }] = receiver.received;
    const signature = headers.get("stripe-signature") ?? "";
    const event = await stripe.webhooks.constructEventAsync(body, signature, secret);
    assert(event.type === "customer.created");
    assert.equal(event.data.object.id, customer.id);
    assert.equal(event.api_version, Stripe.API_VERSION);
    assert.equal(event.request?.idempotency_key, "key_1");
    assert.equal(event.request?.id, customer.lastResponse.requestId);
    assert.equal(event.pending_webhooks, 1);
    const { pending_webhooks: _, ...listed } = (await lastEvent(stripe, event.type)).event;
    const { pending_webhooks: __, ...delivered } = event;
    assert.deepEqual(JSON.parse(JSON.stringify(listed)), delivered);

    for (const wrong of [`${secret}x`, "whsec_other"]) {
      await assert.rejects(stripe.webhooks.constructEventAsync(body, signature, wrong), {
        type: "StripeSignatureVerificationError",
      });
    }
    await assert.rejects(stripe.webhooks.constructEventAsync(`${body} `, signature, secret));
  }));

Deno.test("the signature carries the real time, whatever time the account lives in", () =>
  withWebhooks(async ({ stripe, control, receiver, secret }) => {
    await stripe.customers.create();
    await control.settle();
    const { body = "", headers = new Headers() } = receiver.received[0] ?? {};
    const signature = headers.get("stripe-signature") ?? "";
    const event = await stripe.webhooks.constructEventAsync(body, signature, secret);
    assert.equal(event.created, 1_500_000_000);
  }, { clock: { now: () => 1_500_000_000 } }));

Deno.test("an endpoint gets the events that it asks for, while it is enabled", () =>
  withStripe(async ({ stripe, control }) => {
    const receiver = await startReceiver();
    const { url } = receiver;
    const created = await stripe.webhookEndpoints.create({
      url,
      enabled_events: ["customer.created"],
      description: "Mine",
    });
    assert.match(created.secret ?? "", /^whsec_\w{32}$/);
    const { id } = created;
    assert.equal((await stripe.webhookEndpoints.retrieve(id)).secret, undefined);
    const { data } = await stripe.webhookEndpoints.list();
    assert.deepEqual(data.map((one) => [one.id, one.secret]), [[id, undefined]]);

    const { id: customer } = await stripe.customers.create();
    await stripe.customers.update(customer, { name: "A" });
    await stripe.webhookEndpoints.update(id, { enabled_events: ["customer.updated"] });
    await stripe.customers.update(customer, { name: "B" });
    await stripe.webhookEndpoints.update(id, { disabled: true });
    await stripe.customers.update(customer, { name: "C" });
    await stripe.webhookEndpoints.update(id, { disabled: false });
    await stripe.customers.update(customer, { name: "D" });
    await stripe.webhookEndpoints.del(id);
    await stripe.customers.update(customer, { name: "E" });
    await control.settle();
    const names = receiver.received.map(({ body }) => JSON.parse(body).data.object.name);
    assert.deepEqual(names.sort(), ["B", "D", null]);
    assert.deepEqual((await stripe.webhookEndpoints.list()).data, []);
    await receiver.close();
  }));

Deno.test("a delivery is tried again after a 500, under the same event id", () =>
  withWebhooks(async ({ stripe, control, receiver, secret }) => {
    receiver.answers.push(500);
    await stripe.customers.create();
    await control.settle();
    const [delivery] = await control.deliveries();
    assert.deepEqual(delivery?.attempts.map(({ status }) => status), [500, 200]);
    const events = await Promise.all(
      receiver.received.map(({ body, headers }) =>
        stripe.webhooks.constructEventAsync(body, headers.get("stripe-signature") ?? "", secret)
      ),
    );
    assert.equal(events.length, 2);
    assert.equal(events[0]?.id, events[1]?.id);
  }));

Deno.test("events that were not delivered can be listed", () =>
  withWebhooks(async ({ stripe, control, receiver }) => {
    await stripe.customers.create({ name: "taken" });
    await control.settle();
    receiver.answers.push(500, 500, 500);
    await stripe.customers.create({ name: "refused" });
    await control.settle();
    await control.addPolicy({ kind: "drop", contains: '"lost"' });
    await stripe.customers.create({ name: "lost" });
    await control.addPolicy({ kind: "hold", contains: '"held"' });
    await stripe.customers.create({ name: "held" });
    const names = async (delivery_success: boolean) => {
      const { data } = await stripe.events.list({ delivery_success });
      return data.map((
        event,
      ) => [(event.data.object as Stripe.Customer).name, event.pending_webhooks]);
    };
    assert.deepEqual(await names(false), [["held", 1], ["lost", 1], ["refused", 1]]);
    assert.deepEqual(await names(true), [["taken", 0]]);
    await control.release();
    assert.deepEqual(await names(false), [["lost", 1], ["refused", 1]]);
  }));

Deno.test("events are listed by type, types and time, and retrieved", () => {
  let now = 1_800_000_000;
  return withStripe(async ({ stripe }) => {
    const { id } = await stripe.customers.create({ name: "A" });
    now += 10;
    await stripe.customers.update(id, { name: "B" });
    await stripe.products.create({ name: "Seats" });
    const types = async (params: Stripe.EventListParams) =>
      (await stripe.events.list(params)).data.map(({ type }) => type);
    assert.deepEqual(await types({ type: "customer.updated" }), ["customer.updated"]);
    assert.deepEqual(await types({ types: ["customer.created", "product.created"] }), [
      "product.created",
      "customer.created",
    ]);
    assert.deepEqual(await types({ type: "customer.*" }), ["customer.updated", "customer.created"]);
    assert.deepEqual(await types({ created: { lt: now } }), ["customer.created"]);
    const { event } = await lastEvent(stripe, "product.created");
    assert.equal((await stripe.events.retrieve(event.id)).type, "product.created");
    now += 31 * 24 * 60 * 60;
    assert.deepEqual(await types({}), []);
    await assert.rejects(stripe.events.retrieve(event.id), { statusCode: 404 });
  }, { clock: { now: () => now } });
});

Deno.test("an event keeps what its object was when it happened", () =>
  withStripe(async ({ stripe }) => {
    const subscription = await subscribe(stripe, 2, { metadata: { organization_id: "org_1" } });
    await stripe.prices.update((await prices(stripe)).monthly, { nickname: "Later" });
    const item = subscription.items.data[0]?.id ?? "";
    await stripe.subscriptions.update(subscription.id, { items: [{ id: item, quantity: 9 }] });
    const { event } = await lastEvent(stripe, "customer.subscription.created");
    assert(event.type === "customer.subscription.created");
    const [kept] = event.data.object.items.data;
    assert.deepEqual([kept?.quantity, kept?.price.nickname], [2, null]);
  }));

Deno.test("an endpoint needs a real address and events", () =>
  withStripe(async ({ url, stripe }) => {
    await assert.rejects(
      stripe.webhookEndpoints.create({ url: "nowhere", enabled_events: ["*"] }),
      { code: "url_invalid" },
    );
    const response = await fetch(`${url}/v1/webhook_endpoints`, {
      method: "POST",
      headers: { authorization: `Bearer ${SECRET_KEY}` },
      body: new URLSearchParams({ url: "http://127.0.0.1/" }),
    });
    assert.equal((await response.json()).error.param, "enabled_events");
    assert.equal((await clientOf(url).webhookEndpoints.list()).data.length, 0);
  }));
