import assert from "node:assert/strict";
import { clientOf, eventTypes, SECRET_KEY, withStripe } from "./emulation.ts";

function create(url: string, key: string, email: string): Promise<Response> {
  return fetch(`${url}/v1/customers`, {
    method: "POST",
    headers: { authorization: `Bearer ${SECRET_KEY}`, "idempotency-key": key },
    body: new URLSearchParams({ email }),
  });
}

Deno.test("a key's second request gets the first one's answer", () =>
  withStripe(async ({ url, stripe }) => {
    const first = await create(url, "key_1", "a@example.com");
    const second = await create(url, "key_1", "a@example.com");
    assert.equal(first.headers.get("idempotent-replayed"), null);
    assert.equal(second.headers.get("idempotent-replayed"), "true");
    assert.equal(second.headers.get("original-request"), first.headers.get("request-id"));
    assert.notEqual(second.headers.get("request-id"), first.headers.get("request-id"));
    assert.equal(await second.text(), await first.text());
    assert.deepEqual(await eventTypes(stripe), ["customer.created"]);
  }));

Deno.test("a key with other parameters, or for something else, is an error", () =>
  withStripe(async ({ stripe }) => {
    const idempotencyKey = "key_1";
    const { id } = await stripe.customers.create({ name: "A" }, { idempotencyKey });
    const expected = { type: "StripeIdempotencyError", statusCode: 400 };
    await assert.rejects(stripe.customers.create({ name: "B" }, { idempotencyKey }), expected);
    await assert.rejects(stripe.customers.update(id, { name: "A" }, { idempotencyKey }), expected);
  }));

Deno.test("a key whose first request is under way is a conflict", () =>
  withStripe(async ({ url, control }) => {
    const idempotencyKey = "key_1";
    const once = clientOf(url);
    await control.addFault({ kind: "delay", delayMs: 200, match: { contains: "name=Slow" } });
    const slow = once.customers.create({ name: "Slow" }, { idempotencyKey });
    while ((await control.faults())[0]?.hits !== 1);
    const second = await once.customers.create({ name: "Slow" }, { idempotencyKey })
      .catch((error) => error);
    const retrying = clientOf(url, { maxNetworkRetries: 3 });
    const again = await retrying.customers.create({ name: "Slow" }, { idempotencyKey });
    assert.equal(again.id, (await slow).id);
    assert.equal(second.statusCode, 409);
    assert.equal(second.code, "idempotency_key_in_use");
  }));

Deno.test("64 requests at once with one key make one customer", () =>
  withStripe(async ({ url, stripe }) => {
    const responses = await Promise.all(
      Array.from({ length: 64 }, () => create(url, "key_1", "a@example.com")),
    );
    const ids = new Set<string>();
    for (const response of responses) {
      const body = await response.json();
      if (response.status === 200) ids.add(body.id);
      else assert.equal(response.status, 409);
    }
    assert.equal(ids.size, 1);
    assert.equal((await stripe.customers.list()).data.length, 1);
  }));

Deno.test("a failure of status 500 is kept, as Stripe keeps it; 503 and 429 are not", () =>
  withStripe(async ({ stripe, control }) => {
    const idempotencyKey = "key_1";
    await control.addFault({ kind: "fail", status: 500, match: { path: "^/v1/customers$" } });
    const create = () => stripe.customers.create({ name: "A" }, { idempotencyKey });
    await assert.rejects(create(), { type: "StripeAPIError", statusCode: 500 });
    await assert.rejects(create(), { type: "StripeAPIError", statusCode: 500 });
    assert.equal((await stripe.customers.list()).data.length, 0);

    for (const status of [503, 429]) {
      const options = { idempotencyKey: `key_${status}` };
      await control.addFault({ kind: "fail", status, match: { path: "^/v1/customers$" } });
      await assert.rejects(stripe.customers.create({ name: "A" }, options), { statusCode: status });
      await stripe.customers.create({ name: "A" }, options);
    }
    assert.equal((await stripe.customers.list()).data.length, 2);
  }));

Deno.test("a refusal of the work is kept, one of the parameters is not", () =>
  withStripe(async ({ stripe }) => {
    const missing = { starting: "with", price: "price_1" };
    const items = [{ price: missing.price }];
    const { id: customer } = await stripe.customers.create();
    const kept = { idempotencyKey: "key_1" };
    const refused = { code: "resource_missing" };
    await assert.rejects(stripe.subscriptions.create({ customer, items }, kept), refused);
    const { headers } = await stripe.subscriptions.create({ customer, items }, kept)
      .catch((error) => error);
    assert.equal(headers["idempotent-replayed"], "true");

    const free = { idempotencyKey: "key_2" };
    await assert.rejects(stripe.products.create({ name: "" }, free), {
      code: "parameter_invalid_empty",
    });
    await stripe.products.create({ name: "Seats" }, free);
  }));

Deno.test("a key is forgotten after a day, and can't be longer than 255 characters", () => {
  let now = 1_800_000_000;
  return withStripe(async ({ stripe }) => {
    const idempotencyKey = "k".repeat(255);
    const first = await stripe.customers.create({}, { idempotencyKey });
    now += 24 * 60 * 60 - 1;
    assert.equal((await stripe.customers.create({}, { idempotencyKey })).id, first.id);
    now += 2;
    assert.notEqual((await stripe.customers.create({}, { idempotencyKey })).id, first.id);
    await assert.rejects(
      stripe.customers.create({}, { idempotencyKey: `${idempotencyKey}k` }),
      { statusCode: 400 },
    );
  }, { clock: { now: () => now } });
});
