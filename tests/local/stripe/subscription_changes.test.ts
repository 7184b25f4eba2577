import assert from "node:assert/strict";
import { Stripe } from "stripe";
import { eventTypes, itemOf, lastEvent, prices, subscribe, withStripe } from "./emulation.ts";

const START = 1_800_000_000;

/** Halfway between the start and the end of the first period. */
function halfway(subscription: Stripe.Subscription): number {
  const { current_period_start: start, current_period_end: end } = itemOf(subscription);
  return start + (end - start) / 2;
}

async function latestInvoice(stripe: Stripe): Promise<Stripe.Invoice> {
  const { data: [invoice] } = await stripe.invoices.list({ limit: 1 });
  if (invoice === undefined) throw new Error("There is no invoice.");
  return invoice;
}

Deno.test("a changed quantity is prorated onto the next invoice", () => {
  let now = START;
  return withStripe(async ({ stripe, control }) => {
    const subscription = await subscribe(stripe, 3);
    now = halfway(subscription);
    const { id } = itemOf(subscription);
    const before = (await eventTypes(stripe)).length;
    const changed = await stripe.subscriptions.update(subscription.id, {
      items: [{ id, quantity: 5 }],
    });
    assert.equal(itemOf(changed).quantity, 5);
    assert.deepEqual((await eventTypes(stripe)).slice(before), [
      "invoiceitem.created",
      "invoiceitem.created",
      "customer.subscription.updated",
    ]);
    const { previous } = await lastEvent(stripe, "customer.subscription.updated");
    assert.deepEqual(Object.keys(previous), ["items"]);
    const { items } = previous as { items: Stripe.Subscription["items"] };
    assert.deepEqual(items.data.map((item) => [item.id, item.quantity]), [[id, 3]]);
    assert.equal((await stripe.invoices.list()).data.length, 1);

    await control.endPeriod(subscription.id);
    const invoice = await latestInvoice(stripe);
    assert.equal(invoice.billing_reason, "subscription_cycle");
    // 34.00 for the next month, half of the 14.00 for the rest of this one.
    assert.equal(invoice.total, 3400 + 1700 - 1000);
    assert.equal(invoice.status, "paid");
    assert.deepEqual(
      invoice.lines.data.map(({ amount, parent }) => [
        amount,
        parent?.subscription_item_details?.proration,
      ]),
      [[0, false], [2000, false], [1400, false], [-1000, true], [1700, true]],
    );
    await control.endPeriod(subscription.id);
    assert.equal((await latestInvoice(stripe)).total, 3400);
  }, { clock: { now: () => now } });
});

Deno.test("a change that is invoiced at once is paid at once", () => {
  let now = START;
  return withStripe(async ({ stripe }) => {
    const subscription = await subscribe(stripe, 3);
    now = halfway(subscription);
    const before = (await eventTypes(stripe)).length;
    const changed = await stripe.subscriptionItems.update(itemOf(subscription).id, {
      quantity: 5,
      proration_behavior: "always_invoice",
    });
    assert.equal(changed.quantity, 5);
    const invoice = await latestInvoice(stripe);
    assert.deepEqual(
      [invoice.billing_reason, invoice.total, invoice.status],
      ["subscription_update", 700, "paid"],
    );
    const { latest_invoice } = await stripe.subscriptions.retrieve(subscription.id);
    assert.equal(latest_invoice, invoice.id);
    assert.deepEqual((await eventTypes(stripe)).slice(before), [
      "invoiceitem.created",
      "invoiceitem.created",
      "invoice.created",
      "customer.subscription.updated",
      "customer.updated",
      "invoice.finalized",
      "invoice.paid",
      "invoice.payment_succeeded",
    ]);
  }, { clock: { now: () => now } });
});

Deno.test("a credit is kept on the customer and pays the next invoice", () => {
  let now = START;
  return withStripe(async ({ stripe, control }) => {
    const subscription = await subscribe(stripe, 5);
    now = halfway(subscription);
    const { id } = itemOf(subscription);
    await stripe.subscriptions.update(subscription.id, {
      items: [{ id, quantity: 3 }],
      proration_behavior: "always_invoice",
    });
    const credit = await latestInvoice(stripe);
    assert.deepEqual(
      [credit.total, credit.amount_due, credit.status, credit.ending_balance],
      [-700, 0, "paid", -700],
    );
    const customer = await stripe.customers.retrieve(String(subscription.customer));
    assert(!customer.deleted);
    assert.equal(customer.balance, -700);
    await control.endPeriod(subscription.id);
    const next = await latestInvoice(stripe);
    assert.deepEqual(
      [next.total, next.starting_balance, next.amount_due, next.amount_paid, next.ending_balance],
      [2000, -700, 1300, 1300, 0],
    );
  }, { clock: { now: () => now } });
});

Deno.test("without proration the next invoice bills the new quantity, and nothing else happens", () =>
  withStripe(async ({ stripe, control }) => {
    const subscription = await subscribe(stripe, 5);
    const { id } = itemOf(subscription);
    const before = (await eventTypes(stripe)).length;
    await stripe.subscriptions.update(subscription.id, {
      items: [{ id, quantity: 4 }],
      proration_behavior: "none",
    });
    assert.deepEqual((await eventTypes(stripe)).slice(before), ["customer.subscription.updated"]);
    await control.endPeriod(subscription.id);
    assert.equal((await latestInvoice(stripe)).total, 2700);
  }));

Deno.test("another interval begins a new period and is billed at once", () => {
  let now = START;
  return withStripe(async ({ stripe }) => {
    const subscription = await subscribe(stripe, 3);
    const { yearly } = await prices(stripe);
    now = halfway(subscription);
    const { id } = itemOf(subscription);
    const items = [{ id, price: yearly, quantity: 3 }];
    await assert.rejects(stripe.subscriptions.update(subscription.id, { items }), {
      param: "billing_cycle_anchor",
    });
    const changed = await stripe.subscriptions.update(subscription.id, {
      items,
      billing_cycle_anchor: { type: "now" },
    });
    assert.equal(changed.billing_cycle_anchor, now);
    assert.equal(itemOf(changed).price.id, yearly);
    assert.equal(itemOf(changed).current_period_start, now);
    assert(itemOf(changed).current_period_end >= now + 365 * 24 * 60 * 60);
    const invoice = await latestInvoice(stripe);
    assert.deepEqual([invoice.total, invoice.status], [20_000 - 1000, "paid"]);
    await stripe.subscriptions.update(subscription.id, { cancel_at_period_end: true });
    now += 3600;
    const reset = await stripe.subscriptions.update(subscription.id, {
      billing_cycle_anchor: { type: "now" },
    });
    assert.equal(itemOf(reset).current_period_start, now);
    assert.equal(reset.cancel_at, itemOf(reset).current_period_end);
  }, { clock: { now: () => now } });
});

Deno.test("a change that can't be paid makes the subscription past_due, or is refused", () => {
  let now = START;
  return withStripe(async ({ stripe, control }) => {
    const subscription = await subscribe(stripe, 3, {
      card: "pm_card_chargeCustomerFail",
      payment_behavior: "default_incomplete",
    });
    assert(typeof subscription.latest_invoice === "object");
    await control.payInvoice(subscription.latest_invoice?.id ?? "");
    now = halfway(subscription);
    const { id } = itemOf(subscription);
    const before = await eventTypes(stripe);
    const more: Stripe.SubscriptionUpdateParams = {
      items: [{ id, quantity: 5 }],
      proration_behavior: "always_invoice",
    };
    await assert.rejects(
      stripe.subscriptions.update(subscription.id, {
        ...more,
        payment_behavior: "error_if_incomplete",
      }),
      { type: "StripeCardError", statusCode: 402, code: "card_declined" },
    );
    assert.deepEqual(await eventTypes(stripe), before);
    assert.equal(itemOf(await stripe.subscriptions.retrieve(subscription.id)).quantity, 3);

    const changed = await stripe.subscriptions.update(subscription.id, more);
    assert.deepEqual([changed.status, itemOf(changed).quantity], ["past_due", 5]);
    assert.equal((await latestInvoice(stripe)).status, "open");
  }, { clock: { now: () => now } });
});

Deno.test("items are added and removed; one has to stay", () =>
  withStripe(async ({ stripe }) => {
    const subscription = await subscribe(stripe, 3);
    const extra = await stripe.prices.create({
      currency: "usd",
      product_data: { name: "Support" },
      unit_amount: 500,
      recurring: { interval: "month" },
    });
    const two = await stripe.subscriptions.update(subscription.id, {
      items: [{ price: extra.id, metadata: { kind: "extra" } }],
    });
    assert.deepEqual(two.items.data.map(({ quantity }) => quantity), [3, 1]);
    const { id = "" } = two.items.data[1] ?? {};
    assert.deepEqual((await stripe.subscriptionItems.retrieve(id)).metadata, { kind: "extra" });
    const listed = await stripe.subscriptionItems.list({ subscription: subscription.id });
    assert.deepEqual(listed.data.map((item) => item.id), two.items.data.map((item) => item.id));
    const one = await stripe.subscriptions.update(subscription.id, {
      items: [{ id, deleted: true }],
    });
    assert.deepEqual(one.items.data.map((item) => item.id), [itemOf(subscription).id]);
    await assert.rejects(
      stripe.subscriptions.update(subscription.id, {
        items: [{ id: itemOf(subscription).id, deleted: true }],
      }),
      { param: "items" },
    );
    await assert.rejects(
      stripe.subscriptions.update(subscription.id, { items: [{ id, quantity: 2 }] }),
      { code: "resource_missing", param: "items[0][id]" },
    );
  }));

Deno.test("64 changes at once leave one quantity and one event each", () =>
  withStripe(async ({ stripe }) => {
    const subscription = await subscribe(stripe, 1);
    const { id } = itemOf(subscription);
    const quantities = Array.from({ length: 64 }, (_, index) => index + 2);
    const answers = await Promise.all(
      quantities.map((quantity) =>
        stripe.subscriptions.update(subscription.id, {
          items: [{ id, quantity }],
          proration_behavior: "none",
        })
      ),
    );
    assert.deepEqual(answers.map((answer) => itemOf(answer).quantity), quantities);
    const chain: [number | undefined, number | undefined][] = [];
    const type = "customer.subscription.updated";
    for await (const { data } of stripe.events.list({ type, limit: 100 })) {
      const { items } = data.previous_attributes as { items: Stripe.Subscription["items"] };
      const { items: now } = data.object as Stripe.Subscription;
      chain.unshift([items.data[0]?.quantity, now.data[0]?.quantity]);
    }
    assert.equal(chain.length, 64);
    chain.forEach(([was], index) => assert.equal(was, index === 0 ? 1 : chain[index - 1]?.[1]));
    const { items } = await stripe.subscriptions.retrieve(subscription.id);
    assert.equal(items.data[0]?.quantity, chain.at(-1)?.[1]);
  }));
