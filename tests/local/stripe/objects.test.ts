import assert from "node:assert/strict";
import { Stripe } from "stripe";
import { eventTypes, lastEvent, subscribe, withStripe } from "./emulation.ts";

Deno.test("a customer is created, changed, listed by e-mail and deleted", () =>
  withStripe(async ({ stripe }) => {
    const customer = await stripe.customers.create({
      email: "a@example.com",
      name: "Ada & Co [x]=é",
      metadata: { organization_id: "org_1", other: "x" },
      address: { line1: "1 Main St", country: "FR" },
    });
    assert.equal(customer.name, "Ada & Co [x]=é");
    assert.equal(customer.address?.country, "FR");
    await stripe.customers.create({ email: "b@example.com" });
    const changed = await stripe.customers.update(customer.id, {
      description: "Pays in time",
      metadata: { other: "", more: "1" },
    });
    assert.deepEqual(changed.metadata, { organization_id: "org_1", more: "1" });
    assert.equal(changed.email, "a@example.com");
    const { previous } = await lastEvent(stripe, "customer.updated");
    assert.deepEqual(previous, {
      description: null,
      metadata: { other: "x", more: null },
    });
    const found = await stripe.customers.list({ email: "a@example.com" });
    assert.deepEqual(found.data, [changed]);
    const cleared = await stripe.customers.update(customer.id, { metadata: "", description: "" });
    assert.deepEqual([cleared.metadata, cleared.description], [{}, null]);

    await stripe.customers.del(customer.id);
    const gone = await stripe.customers.retrieve(customer.id);
    assert.deepEqual({ ...gone }, { id: customer.id, object: "customer", deleted: true });
    assert.equal((await stripe.customers.list()).data.length, 1);
    await assert.rejects(stripe.customers.update(customer.id, { name: "x" }), {
      code: "resource_missing",
      statusCode: 404,
    });
  }));

Deno.test("deleting a customer cancels its subscriptions", () =>
  withStripe(async ({ stripe }) => {
    const subscription = await subscribe(stripe, 1);
    await stripe.customers.del(String(subscription.customer));
    const { data } = await stripe.subscriptions.list({
      customer: String(subscription.customer),
      status: "all",
    });
    assert.deepEqual(data.map(({ id, status }) => [id, status]), [[subscription.id, "canceled"]]);
    const types = await eventTypes(stripe);
    assert.deepEqual(types.slice(-2), ["customer.subscription.deleted", "customer.deleted"]);
  }));

Deno.test("an update that changes nothing sends no event", () =>
  withStripe(async ({ stripe }) => {
    const customer = await stripe.customers.create({ email: "a@example.com" });
    await stripe.customers.update(customer.id, { email: "a@example.com" });
    assert.deepEqual(await eventTypes(stripe), ["customer.created"]);
  }));

Deno.test("a product has the id it is given, once", () =>
  withStripe(async ({ stripe }) => {
    await stripe.products.create({ id: "seats", name: "Seats" });
    const product = await stripe.products.update("seats", { name: "More seats", active: false });
    assert.deepEqual([product.name, product.active], ["More seats", false]);
    assert.equal((await stripe.products.list({ active: true })).data.length, 0);
    await assert.rejects(stripe.products.create({ id: "seats", name: "Again" }), {
      code: "resource_already_exists",
      statusCode: 400,
    });
  }));

Deno.test("a tiered price shows its tiers only where they are expanded", () =>
  withStripe(async ({ stripe }) => {
    const price = await stripe.prices.create({
      currency: "USD",
      product_data: { name: "Seats" },
      billing_scheme: "tiered",
      tiers_mode: "volume",
      tiers: [
        { up_to: 5, flat_amount: 1000 },
        { up_to: "inf", unit_amount_decimal: Stripe.Decimal.from("12.5") },
      ],
      recurring: { interval: "month" },
    });
    assert.equal(price.tiers, undefined);
    assert.equal(price.currency, "usd");
    const { tiers } = await stripe.prices.retrieve(price.id, { expand: ["tiers"] });
    assert.deepEqual(tiers?.map((tier) => [tier.up_to, tier.flat_amount, tier.unit_amount]), [
      [5, 1000, 0],
      [null, null, null],
    ]);
    assert.equal(tiers?.[1]?.unit_amount_decimal?.toString(), "12.5");
  }));

Deno.test("a lookup key belongs to one price and moves only when told to", () =>
  withStripe(async ({ stripe }) => {
    const make = (transfer: boolean) =>
      stripe.prices.create({
        currency: "usd",
        product_data: { name: "Seats" },
        unit_amount: 500,
        recurring: { interval: "month" },
        lookup_key: "seats_monthly",
        transfer_lookup_key: transfer,
      });
    const first = await make(false);
    await assert.rejects(make(false), { statusCode: 400, param: "lookup_key" });
    const second = await make(true);
    const { data } = await stripe.prices.list({ lookup_keys: ["seats_monthly", "none"] });
    assert.deepEqual(data.map(({ id }) => id), [second.id]);
    assert.equal((await stripe.prices.retrieve(first.id)).lookup_key, null);
    const { previous } = await lastEvent(stripe, "price.updated");
    assert.deepEqual(previous, { lookup_key: "seats_monthly" });
  }));

Deno.test("a price without an amount, or with tiers in disorder, is refused", () =>
  withStripe(async ({ stripe }) => {
    const base = { currency: "usd", product_data: { name: "Seats" } };
    await assert.rejects(stripe.prices.create(base), { param: "unit_amount" });
    const tiered = { ...base, billing_scheme: "tiered", tiers_mode: "graduated" };
    const tiers = [{ up_to: 5, unit_amount: 1 }, { up_to: 3, unit_amount: 1 }];
    await assert.rejects(stripe.prices.create({ ...tiered, tiers }), { param: "tiers" });
    assert.equal((await stripe.products.list()).data.length, 0);
  }));

Deno.test("a subscription shows its price as it is now", () =>
  withStripe(async ({ stripe }) => {
    const subscription = await subscribe(stripe, 2);
    const price = subscription.items.data[0]?.price.id ?? "";
    await stripe.prices.update(price, { nickname: "Per seat" });
    const { items } = await stripe.subscriptions.retrieve(subscription.id);
    assert.equal(items.data[0]?.price.nickname, "Per seat");
    assert.equal(items.data[0]?.plan.nickname, "Per seat");
  }));
