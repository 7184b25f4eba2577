import assert from "node:assert/strict";
import { Stripe } from "stripe";
import { decodeForm } from "../../../local/stripe/api/form.ts";
import { clientOf, SECRET_KEY, subscribe, withStripe } from "./emulation.ts";

function request(url: string, path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(url + path, {
    ...init,
    headers: { authorization: `Bearer ${SECRET_KEY}`, ...init.headers },
  });
}

Deno.test("a form's brackets become fields and lists", () => {
  const decoded = decodeForm(
    "a=1&items[0][price]=p0&items[1][price]=p1&items[10][price]=p10&metadata[k%5B]=v&list[]=x&" +
      "list[]=y&__proto__[z]=1",
  );
  assert.deepEqual(JSON.parse(JSON.stringify(decoded)), {
    a: "1",
    items: [{ price: "p0" }, { price: "p1" }, { price: "p10" }],
    metadata: { "k[": "v" },
    list: ["x", "y"],
    ["__proto__"]: { z: "1" },
  });
  assert.equal(Object.hasOwn(Object.prototype, "z"), false);
});

Deno.test("every answer carries Stripe's headers", () =>
  withStripe(async ({ url }) => {
    const response = await request(url, "/v1/customers", {
      method: "POST",
      headers: { "idempotency-key": "key_1" },
      body: new URLSearchParams({ email: "a@example.com" }),
    });
    assert.equal(response.status, 200);
    assert.match(response.headers.get("request-id") ?? "", /^req_\w{14}$/);
    assert.equal(response.headers.get("stripe-version"), Stripe.API_VERSION);
    assert.equal(response.headers.get("idempotency-key"), "key_1");
    assert.equal(response.headers.get("date"), "Sat, 01 Jan 2028 00:00:00 GMT");
    assert.equal((await response.json()).created, 1_830_297_600);
  }, { clock: { now: () => 1_830_297_600 } }));

Deno.test("an error has Stripe's shape", () =>
  withStripe(async ({ url }) => {
    const response = await request(url, "/v1/customers/cus_none");
    assert.equal(response.status, 404);
    const id = response.headers.get("request-id");
    assert.deepEqual(await response.json(), {
      error: {
        type: "invalid_request_error",
        code: "resource_missing",
        message: "No such customer: 'cus_none'",
        param: "id",
        doc_url: "https://stripe.com/docs/error-codes/resource-missing",
        request_log_url: `https://dashboard.stripe.com/test/logs/${id}`,
      },
    });
  }));

Deno.test("a wrong key, a missing key and another API version are refused", () =>
  withStripe(async ({ url, stripe }) => {
    await assert.rejects(stripe.customers.list({}, { apiKey: "sk_test_wrong" }), {
      type: "StripeAuthenticationError",
      statusCode: 401,
      message: "Invalid API Key provided: sk_test_********rong",
    });
    assert.equal((await fetch(`${url}/v1/customers`)).status, 401);
    await assert.rejects(stripe.customers.list({}, { apiVersion: "2020-08-27" }), {
      statusCode: 400,
    });
  }));

Deno.test("an unknown address is 404", () =>
  withStripe(async ({ stripe }) => {
    await assert.rejects(stripe.coupons.list(), {
      type: "StripeInvalidRequestError",
      statusCode: 404,
      message: "Unrecognized request URL (GET: /v1/coupons).",
    });
  }));

Deno.test("parameters that don't fit are refused by name", () =>
  withStripe(async ({ url }) => {
    const refusal = async (path: string, form: string) => {
      const response = await request(url, path, { method: "POST", body: form });
      const { error } = await response.json();
      assert.equal(response.status, 400);
      return [error.code, error.param];
    };
    assert.deepEqual(await refusal("/v1/customers", "emial=x"), ["parameter_unknown", "emial"]);
    assert.deepEqual(await refusal("/v1/customers", "address[town]=x"), [
      "parameter_unknown",
      "address[town]",
    ]);
    assert.deepEqual(await refusal("/v1/subscriptions", "customer=x&items[0][quantity]=1"), [
      "parameter_missing",
      "items[0][price]",
    ]);
    assert.deepEqual(
      await refusal("/v1/subscriptions", "customer=x&items[0][price]=p&items[0][quantity]=many"),
      ["parameter_invalid_integer", "items[0][quantity]"],
    );
    assert.deepEqual(await refusal("/v1/products", "name="), ["parameter_invalid_empty", "name"]);
    assert.deepEqual(await refusal("/v1/products", "name=x&active=perhaps"), [undefined, "active"]);
    assert.deepEqual(
      await refusal(
        "/v1/checkout/sessions",
        "mode=subscription&line_items[0][price]=p&line_items[0][quantity]=1&" +
          "success_url=javascript:alert(1)",
      ),
      ["url_invalid", "success_url"],
    );
  }));

Deno.test("an id that names nothing is 404 in the address and 400 in a parameter", () =>
  withStripe(async ({ stripe }) => {
    const price = "price_none";
    const { id: customer } = await stripe.customers.create();
    await assert.rejects(stripe.subscriptions.create({ customer, items: [{ price }] }), {
      statusCode: 400,
      code: "resource_missing",
      param: "items[0][price]",
    });
    await assert.rejects(stripe.prices.retrieve(price), { statusCode: 404 });
  }));

Deno.test("lists page forwards, backwards and by themselves", () =>
  withStripe(async ({ stripe }) => {
    const ids: string[] = [];
    for (let index = 0; index < 7; index += 1) {
      ids.unshift((await stripe.customers.create({ name: `${index}` })).id);
    }
    const names = (
      page: { data: { id: string }[]; has_more: boolean },
    ) => [page.data.map(({ id }) => ids.indexOf(id)), page.has_more];
    const [, , third = "", , , sixth = ""] = ids;
    assert.deepEqual(names(await stripe.customers.list({ limit: 3 })), [[0, 1, 2], true]);
    const after = await stripe.customers.list({ limit: 3, starting_after: third });
    assert.deepEqual(names(after), [[3, 4, 5], true]);
    const rest = await stripe.customers.list({ limit: 3, starting_after: sixth });
    assert.deepEqual(names(rest), [[6], false]);
    const before = await stripe.customers.list({ limit: 3, ending_before: sixth });
    assert.deepEqual(names(before), [[2, 3, 4], true]);
    const all = await stripe.customers.list({ limit: 2 }).autoPagingToArray({ limit: 100 });
    assert.deepEqual(all.map(({ id }) => id), ids);
    const backwards = await stripe.customers.list({ limit: 2, ending_before: sixth })
      .autoPagingToArray({ limit: 100 });
    assert.deepEqual(backwards.map(({ id }) => ids.indexOf(id)), [4, 3, 2, 1, 0]);
    assert.equal((await stripe.customers.list()).data.length, 7);
    await assert.rejects(stripe.customers.list({ limit: 101 }), { param: "limit" });
    await assert.rejects(stripe.customers.list({ starting_after: "cus_none" }), {
      code: "resource_missing",
    });
  }));

Deno.test("lists are narrowed by time", () => {
  let now = 1_800_000_000;
  return withStripe(async ({ stripe }) => {
    for (const at of [1_800_000_000, 1_800_000_010, 1_800_000_020]) {
      now = at;
      await stripe.customers.create();
    }
    const times = async (created: Stripe.RangeQueryParam | number) =>
      (await stripe.customers.list({ created })).data.map((customer) => customer.created % 100);
    assert.deepEqual(await times({ gte: 1_800_000_010 }), [20, 10]);
    assert.deepEqual(await times({ gt: 1_800_000_000, lt: 1_800_000_020 }), [10]);
    assert.deepEqual(await times(1_800_000_000), [0]);
  }, { clock: { now: () => now } });
});

Deno.test("expansions reach through objects and lists, and leave the objects as they are", () =>
  withStripe(async ({ stripe }) => {
    const { id, customer } = await subscribe(stripe, 4);
    const one = await stripe.subscriptions.retrieve(id, {
      expand: [
        "customer",
        "latest_invoice",
        "items.data.price.product",
        "items.data.price.tiers",
        "default_payment_method",
      ],
    });
    assert(typeof one.customer === "object" && one.customer.object === "customer");
    assert(typeof one.latest_invoice === "object");
    assert.equal(one.latest_invoice?.amount_paid, 2700);
    const [item] = one.items.data;
    assert(typeof item?.price.product === "object");
    assert.equal(item.price.tiers?.length, 2);

    const { data: [listed] } = await stripe.invoices.list({
      expand: ["data.parent.subscription_details.subscription.customer"],
    });
    const owner = listed?.parent?.subscription_details?.subscription;
    assert(typeof owner === "object" && typeof owner.customer === "object");
    assert.equal(owner.customer.id, customer);

    const plain = await stripe.subscriptions.retrieve(id);
    assert.equal(plain.customer, customer);
    assert.equal(plain.items.data[0]?.price.tiers, undefined);
  }));

Deno.test("what can't be expanded is refused", () =>
  withStripe(async ({ stripe }) => {
    const { id } = await subscribe(stripe, 1);
    for (const path of ["status", "metadata", "nothing", "a.b.c.d.e"]) {
      await assert.rejects(stripe.subscriptions.retrieve(id, { expand: [path] }), {
        statusCode: 400,
      });
    }
    await assert.rejects(stripe.subscriptions.list({ expand: ["customer"] }), { statusCode: 400 });
  }));

Deno.test("the SDK works with each of its HTTP clients", () =>
  withStripe(async ({ url }) => {
    for (const config of [{}, { httpClient: Stripe.createFetchHttpClient() }]) {
      const stripe = clientOf(url, config);
      const { id } = await stripe.customers.create({ name: "x" });
      assert.equal((await stripe.customers.retrieve(id)).id, id);
    }
  }));
