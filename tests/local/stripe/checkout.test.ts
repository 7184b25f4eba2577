import assert from "node:assert/strict";
import { Stripe } from "stripe";
import { openSession } from "./checkout_sessions.ts";
import { lastEvent, prices, withStripe } from "./emulation.ts";

Deno.test("an open session shows what is to be paid, and where", () =>
  withStripe(async ({ url, stripe }) => {
    const session = await openSession({ stripe });
    assert.match(session.id, /^cs_test_/);
    assert.equal(session.url, `${url}/c/pay/${session.id}`);
    assert.equal(session.status, "open");
    assert.equal(session.payment_status, "unpaid");
    assert.equal(session.amount_total, 2000 + 2 * 700);
    assert.equal(session.currency, "usd");
    assert.equal(session.expires_at, session.created + 24 * 60 * 60);
    assert.equal(session.line_items, undefined);
    const { data: [line] } = await stripe.checkout.sessions.listLineItems(session.id);
    assert.deepEqual([line?.quantity, line?.amount_total, line?.description], [5, 3400, "Pro"]);
    const { line_items } = await stripe.checkout.sessions.retrieve(session.id, {
      expand: ["line_items"],
    });
    assert.deepEqual(line_items?.data, [line]);
    assert.equal((await stripe.subscriptions.list({ status: "all" })).data.length, 0);
  }));

Deno.test("the page shows lines, total and ways to pay or leave, escaped", () =>
  withStripe(async ({ stripe }) => {
    const product = await stripe.products.create({ name: "<b>Seats</b> & more" });
    const price = await stripe.prices.create({
      product: product.id,
      currency: "eur",
      unit_amount: 1050,
      recurring: { interval: "month" },
    });
    const session = await openSession({ stripe }, {
      line_items: [{ price: price.id, quantity: 2 }],
    });
    const response = await fetch(session.url ?? "");
    assert.match(response.headers.get("content-type") ?? "", /^text\/html/);
    const page = await response.text();
    assert(page.includes("2 × &lt;b&gt;Seats&lt;/b&gt; &amp; more"));
    assert(page.includes("€21.00"));
    assert(page.includes('href="http://127.0.0.1:3000/left?a=1&amp;b=2"'));
    assert(page.includes('name="card"') && page.includes('value="later"'));
    assert(page.includes("owner@example.com"));
    assert.equal((await fetch(`${session.url}x`)).status, 404);
  }));

Deno.test("a session expires when it is told to, and can't be paid then", () =>
  withStripe(async ({ stripe, control }) => {
    const { id, url } = await openSession({ stripe });
    const expired = await stripe.checkout.sessions.expire(id);
    assert.deepEqual([expired.status, expired.url], ["expired", null]);
    const { event } = await lastEvent(stripe, "checkout.session.expired");
    assert.equal(event.request?.id, expired.lastResponse.requestId);
    await assert.rejects(control.payCheckout(id), /410/);
    assert.equal((await fetch(url ?? "")).status, 410);
    await assert.rejects(stripe.checkout.sessions.expire(id), { statusCode: 400 });
    assert.equal((await stripe.subscriptions.list()).data.length, 0);
  }));

Deno.test("a session expires by itself when its time is up", () => {
  let now = 1_800_000_000;
  return withStripe(async ({ stripe, control }) => {
    const half = now + 30 * 60;
    const { id } = await openSession({ stripe }, { expires_at: half });
    const { id: long } = await openSession({ stripe });
    await assert.rejects(openSession({ stripe }, { expires_at: half - 1 }), {
      param: "expires_at",
    });
    now = half - 1;
    assert.equal((await stripe.checkout.sessions.retrieve(id)).status, "open");
    now = half;
    await assert.rejects(control.payCheckout(id), /410/);
    const { event } = await lastEvent(stripe, "checkout.session.expired");
    assert.equal(event.request?.id, null);
    assert.equal((await stripe.checkout.sessions.retrieve(long)).status, "open");
  }, { clock: { now: () => now } });
});

Deno.test("a session that is left is still open, and listed", () =>
  withStripe(async ({ stripe }) => {
    const { id, customer, url } = await openSession({ stripe });
    await (await fetch(url ?? "")).text();
    const list = (params: Stripe.Checkout.SessionListParams) =>
      stripe.checkout.sessions.list(params).then(({ data }) => data.map((one) => one.id));
    assert.deepEqual(await list({ customer: String(customer), status: "open" }), [id]);
    assert.deepEqual(await list({ status: "complete" }), []);
  }));

Deno.test("a session needs a price that is active and recurring, and one customer", () =>
  withStripe(async ({ stripe }) => {
    const once = await stripe.prices.create({
      currency: "usd",
      product_data: { name: "Book" },
      unit_amount: 100,
    });
    const line_items = [{ price: once.id, quantity: 1 }];
    await assert.rejects(openSession({ stripe }, { line_items }), {
      param: "line_items[0][price]",
    });
    const { monthly } = await prices(stripe);
    await stripe.prices.update(monthly, { active: false });
    const { id: customer } = await stripe.customers.create();
    const params = {
      mode: "subscription",
      line_items: [{ price: monthly, quantity: 1 }],
      success_url: "http://127.0.0.1/",
    };
    await assert.rejects(stripe.checkout.sessions.create(params), /inactive/);
    await assert.rejects(
      stripe.checkout.sessions.create({ ...params, customer, customer_email: "a@example.com" }),
      /only specify one/,
    );
    await assert.rejects(stripe.checkout.sessions.create({ ...params, customer: "cus_none" }), {
      statusCode: 400,
      code: "resource_missing",
      param: "customer",
    });
  }));
