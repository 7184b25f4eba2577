import assert from "node:assert/strict";
import { clientOf, eventTypes, prices, subscribe, withStripe } from "./emulation.ts";

Deno.test("an answer that is lost after the work is done is given to the SDK's retry", () =>
  withStripe(async ({ url, stripe, control }) => {
    const { monthly: price } = await prices(stripe);
    const { id: customer } = await stripe.customers.create();
    await control.addFault({ kind: "lose_answer", match: { contains: customer } });
    const retrying = clientOf(url, { maxNetworkRetries: 2 });
    const session = await retrying.checkout.sessions.create({
      mode: "subscription",
      customer,
      line_items: [{ price, quantity: 2 }],
      success_url: "http://127.0.0.1/ok",
    });
    assert.equal((await control.faults())[0]?.hits, 1);
    const { data } = await stripe.checkout.sessions.list({ customer });
    assert.deepEqual(data.map(({ id }) => id), [session.id]);
  }));

Deno.test("without a retry a lost answer is a connection error, and the work is done", () =>
  withStripe(async ({ stripe, control }) => {
    await control.addFault({ kind: "lose_answer", match: { path: "/v1/subscriptions/" } });
    const subscription = await subscribe(stripe, 5);
    await assert.rejects(
      stripe.subscriptions.update(subscription.id, { metadata: { a: "1" } }),
      { type: "StripeConnectionError" },
    );
    const { metadata } = await stripe.subscriptions.retrieve(subscription.id);
    assert.deepEqual(metadata, { a: "1" });
  }));

Deno.test("a dropped request is not worked on, and its key stays free", () =>
  withStripe(async ({ stripe, control }) => {
    await control.addFault({ kind: "drop", match: { method: "post" } });
    const create = () => stripe.customers.create({ name: "A" }, { idempotencyKey: "key_1" });
    await assert.rejects(create(), { type: "StripeConnectionError" });
    assert.deepEqual(await eventTypes(stripe), []);
    await create();
    assert.deepEqual(await eventTypes(stripe), ["customer.created"]);
  }));

Deno.test("a failure that says nothing is given Stripe's shape, and the test's headers", () =>
  withStripe(async ({ stripe, control }) => {
    const match = { path: "/v1/events" };
    await control.addFault({ kind: "fail", match, status: 429, headers: { "retry-after": "2" } });
    const error = await stripe.events.list().catch((error) => error);
    assert.equal(error.type, "StripeRateLimitError");
    assert.equal(error.code, "rate_limit");
    assert.equal(error.headers["retry-after"], "2");
    await control.addFault({ kind: "fail", match, status: 503 });
    await assert.rejects(stripe.events.list(), { type: "StripeAPIError", rawType: "api_error" });
    const body = { error: { type: "card_error", code: "expired_card", message: "Expired." } };
    await control.addFault({ kind: "fail", match, status: 402, body });
    await assert.rejects(stripe.events.list(), { type: "StripeCardError", code: "expired_card" });
  }));

Deno.test("the hosted page can be struck as well", () =>
  withStripe(async ({ stripe, control }) => {
    const { monthly: price } = await prices(stripe);
    const session = await stripe.checkout.sessions.create({
      mode: "subscription",
      customer_email: "a@example.com",
      line_items: [{ price, quantity: 1 }],
      success_url: "http://127.0.0.1/ok",
    });
    await control.addFault({ kind: "lose_answer", match: { contains: session.id } });
    await assert.rejects(control.payCheckout(session.id));
    assert.equal((await stripe.checkout.sessions.retrieve(session.id)).status, "complete");
  }));
