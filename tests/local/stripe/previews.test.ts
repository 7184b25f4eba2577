import assert from "node:assert/strict";
import type { Stripe } from "stripe";
import { expanded, itemOf, prices, subscribe, withStripe } from "./emulation.ts";

const START = 1_800_000_000;

/** Halfway between the start and the end of the first period. */
function halfway(subscription: Stripe.Subscription): number {
  const { current_period_start: start, current_period_end: end } = itemOf(subscription);
  return start + (end - start) / 2;
}

Deno.test("the next renewal is previewed as it will be billed", () =>
  withStripe(async ({ stripe, control }) => {
    const subscription = await subscribe(stripe, 5);
    const before = (await stripe.events.list()).data.length;
    const preview = await stripe.invoices.createPreview({
      customer: String(subscription.customer),
      subscription: subscription.id,
    });
    assert.match(preview.id, /^upcoming_in/);
    const end = itemOf(subscription).current_period_end;
    assert.deepEqual(
      [preview.status, preview.billing_reason, preview.period_end, preview.next_payment_attempt],
      ["draft", "upcoming", end, end],
    );
    assert.equal((await stripe.events.list()).data.length, before);
    assert.equal((await stripe.invoices.list()).data.length, 1);
    await control.endPeriod(subscription.id);
    const { data: [renewal] } = await stripe.invoices.list({ limit: 1 });
    assert.equal(renewal?.total, preview.total);
    const shown = ({ lines }: Stripe.Invoice) =>
      lines.data.map(({ amount, description, period }) => ({ amount, description, period }));
    assert.deepEqual(renewal && shown(renewal), shown(preview));
  }));

Deno.test("a change is previewed as it will be charged: at once, at renewal, without prorations", () => {
  let now = START;
  return withStripe(async ({ stripe }) => {
    const subscription = await subscribe(stripe, 3);
    now = halfway(subscription);
    const { id } = itemOf(subscription);
    const preview = (
      details: Stripe.InvoiceCreatePreviewParams.SubscriptionDetails,
      mode: "next" | "recurring" = "next",
    ) =>
      stripe.invoices.createPreview({
        subscription: subscription.id,
        preview_mode: mode,
        subscription_details: { items: [{ id, quantity: 5 }], ...details },
      });
    const today = await preview({ proration_behavior: "always_invoice", proration_date: now });
    assert.deepEqual(today.lines.data.map(({ amount }) => amount), [-1000, 1700]);
    assert(today.lines.data.every(({ parent }) => parent?.subscription_item_details?.proration));
    assert.equal(today.parent?.subscription_details?.subscription_proration_date, now);
    assert.equal((await preview({ proration_behavior: "create_prorations" })).total, 3400 + 700);
    assert.equal((await preview({ proration_behavior: "none" })).total, 3400);
    assert.equal(
      (await preview({ proration_behavior: "always_invoice" }, "recurring")).total,
      3400,
    );
    const { yearly } = await prices(stripe);
    const year = await preview({
      items: [{ id, price: yearly, quantity: 5 }],
      billing_cycle_anchor: { type: "now" },
      proration_behavior: "always_invoice",
    });
    assert.deepEqual([year.total, year.period_start], [34_000 - 1000, now]);

    const date = now;
    now += 3600;
    const { latest_invoice } = await stripe.subscriptions.update(subscription.id, {
      items: [{ id, quantity: 5 }],
      proration_behavior: "always_invoice",
      proration_date: date,
      expand: ["latest_invoice"],
    });
    assert.equal(expanded(latest_invoice).total, today.total);
  }, { clock: { now: () => now } });
});

Deno.test("seats given back without proration stay paid for when more are bought", () => {
  let now = START;
  return withStripe(async ({ stripe }) => {
    const subscription = await subscribe(stripe, 10);
    const { id } = itemOf(subscription);
    now = halfway(subscription);
    const change = (quantity: number, proration_behavior: "none" | "always_invoice") =>
      stripe.subscriptions.update(subscription.id, {
        items: [{ id, quantity }],
        proration_behavior,
        expand: ["latest_invoice"],
      });
    await change(6, "none");
    const raised = await change(12, "always_invoice");
    // Half a month of two seats: those from seven to ten are paid for already.
    assert.equal(expanded(raised.latest_invoice).total, 700);
  }, { clock: { now: () => now } });
});

Deno.test("what will not be billed can't be previewed", () =>
  withStripe(async ({ stripe }) => {
    const subscription = await subscribe(stripe, 3);
    const { id } = itemOf(subscription);
    const none = { statusCode: 404, code: "invoice_upcoming_none" };
    await assert.rejects(
      stripe.invoices.createPreview({
        subscription: subscription.id,
        subscription_details: { cancel_at_period_end: true },
      }),
      none,
    );
    const other = await subscribe(stripe, 1);
    const refused: [Stripe.InvoiceCreatePreviewParams, object][] = [
      [{ customer: String(other.customer) }, { param: "subscription" }],
      [{ subscription_details: { items: [{ id: "si_none" }] } }, { code: "resource_missing" }],
      [
        { subscription_details: { items: [{ id, quantity: 4 }], proration_date: 1 } },
        { param: "subscription_details[proration_date]" },
      ],
      [{ schedule: "sub_sched_1" }, { code: "parameter_unknown" }],
    ];
    for (const [params, error] of refused) {
      const call = stripe.invoices.createPreview({ subscription: subscription.id, ...params });
      await assert.rejects(call, { statusCode: 400, ...error });
    }
    await stripe.subscriptions.cancel(subscription.id);
    await assert.rejects(stripe.invoices.createPreview({ subscription: subscription.id }), none);
  }));

Deno.test("what waits is billed when a subscription ends with its period, and dropped at once", () =>
  withStripe(async ({ stripe, control }) => {
    const waiting = async () => {
      const subscription = await subscribe(stripe, 3);
      return await stripe.subscriptions.update(subscription.id, {
        items: [{ id: itemOf(subscription).id, quantity: 5 }],
      });
    };
    const { id } = await waiting();
    await stripe.subscriptions.update(id, { cancel_at_period_end: true });
    const preview = await stripe.invoices.createPreview({ subscription: id });
    const ended = await control.endPeriod(id);
    assert.equal(ended.status, "canceled");
    const last = await stripe.invoices.retrieve(String(ended.latest_invoice));
    assert.deepEqual([last.total, last.status], [preview.total, "paid"]);

    const { id: other } = await waiting();
    await stripe.subscriptions.cancel(other);
    assert.equal((await stripe.invoices.list({ subscription: other })).data.length, 1);
    assert.equal((await stripe.events.list({ type: "invoiceitem.deleted" })).data.length, 2);
  }));

Deno.test("another price without a quantity is one of it", () =>
  withStripe(async ({ stripe }) => {
    const subscription = await subscribe(stripe, 3);
    const { id: price } = await stripe.prices.create({
      currency: "usd",
      product_data: { name: "Other" },
      unit_amount: 500,
      recurring: { interval: "month" },
    });
    const { id } = itemOf(subscription);
    const changed = await stripe.subscriptions.update(subscription.id, { items: [{ id, price }] });
    assert.equal(itemOf(changed).quantity, 1);
  }));
