import assert from "node:assert/strict";
import { Stripe } from "stripe";
import {
  customerWith,
  type Emulation,
  eventTypes,
  expanded,
  itemOf,
  lastEvent,
  prices,
  subscribe,
  withStripe,
} from "./emulation.ts";

const START = 1_800_000_000;
const HOUR = 60 * 60;

/** An active subscription, of three seats unless told, a third into its period, whose card now does this. */
async function subscribed(
  { stripe }: Emulation,
  card: string,
  setNow: (now: number) => void,
  quantity = 3,
): Promise<Stripe.Subscription> {
  const subscription = await subscribe(stripe, quantity);
  const method = await stripe.paymentMethods.attach(card, {
    customer: String(subscription.customer),
  });
  await stripe.customers.update(String(subscription.customer), {
    invoice_settings: { default_payment_method: method.id },
  });
  const { current_period_start: start, current_period_end: end } = itemOf(subscription);
  setNow(start + (end - start) / 3);
  return subscription;
}

function raise(
  stripe: Stripe,
  subscription: Stripe.Subscription,
  quantity: number,
  more: Stripe.SubscriptionUpdateParams = {},
  options: Stripe.RequestOptions = {},
): Promise<Stripe.Subscription> {
  return stripe.subscriptions.update(subscription.id, {
    items: [{ id: itemOf(subscription).id, quantity }],
    proration_behavior: "always_invoice",
    payment_behavior: "pending_if_incomplete",
    expand: ["latest_invoice"],
    ...more,
  }, options);
}

/** Runs with a clock that starts at `START`. */
function withClock(
  run: (emulation: Emulation, setNow: (now: number) => void) => Promise<void>,
): () => Promise<void> {
  return () => {
    let now = START;
    return withStripe((emulation) =>
      run(emulation, (next) => {
        now = next;
      }), { clock: { now: () => now } });
  };
}

Deno.test(
  "an update that is paid at once is applied at once",
  withClock(async (emulation, setNow) => {
    const { stripe } = emulation;
    const subscription = await subscribed(emulation, "pm_card_visa", setNow);
    const raised = await raise(stripe, subscription, 6);
    assert.deepEqual([itemOf(raised).quantity, raised.pending_update], [6, null]);
    const invoice = expanded(raised.latest_invoice);
    // Two thirds of the 21.00 that three more seats cost.
    assert.deepEqual([invoice.total, invoice.status], [1400, "paid"]);
  }),
);

Deno.test(
  "a declined update waits, and everything stays as it was until it is paid",
  withClock(async (emulation, setNow) => {
    const { stripe, control } = emulation;
    const subscription = await subscribed(emulation, "pm_card_chargeCustomerFail", setNow);
    const events = (await eventTypes(stripe)).length;
    const held = await raise(stripe, subscription, 6, { metadata: { change: "1" } }, {
      idempotencyKey: "raise",
    });
    assert.deepEqual([held.status, itemOf(held).quantity], ["active", 3]);
    assert.deepEqual(held.metadata, {});
    const { created } = held;
    const now = created + (itemOf(held).current_period_end - created) / 3;
    assert.equal(held.pending_update?.expires_at, now + 23 * HOUR);
    assert.deepEqual(held.pending_update?.metadata, { change: "1" });
    const [waiting] = held.pending_update?.subscription_items ?? [];
    assert.deepEqual([waiting?.id, waiting?.quantity], [itemOf(held).id, 6]);
    const invoice = expanded(held.latest_invoice);
    assert.deepEqual([invoice.status, invoice.amount_due, invoice.attempt_count], [
      "open",
      1400,
      1,
    ]);
    assert.deepEqual((await eventTypes(stripe)).slice(events), [
      "invoiceitem.created",
      "invoiceitem.created",
      "invoice.created",
      "customer.subscription.updated",
      "customer.updated",
      "invoice.finalized",
      "invoice.payment_failed",
    ]);
    const again = await raise(stripe, subscription, 6, { metadata: { change: "1" } }, {
      idempotencyKey: "raise",
    });
    assert.equal(expanded(again.latest_invoice).id, invoice.id);

    const page = await (await fetch(String(invoice.hosted_invoice_url))).text();
    assert.match(page, /\$14\.00/);
    const declined = await control.payHostedInvoice(invoice.id, { card: "4000000000000002" });
    assert.match(declined, /problem=card_declined/);
    assert.equal(itemOf(await stripe.subscriptions.retrieve(held.id)).quantity, 3);

    const before = (await eventTypes(stripe)).length;
    await control.payHostedInvoice(invoice.id);
    const applied = await stripe.subscriptions.retrieve(held.id);
    assert.deepEqual([itemOf(applied).quantity, applied.pending_update, applied.status], [
      6,
      null,
      "active",
    ]);
    assert.deepEqual(applied.metadata, { change: "1" });
    assert.deepEqual((await eventTypes(stripe)).slice(before), [
      "invoice.paid",
      "invoice.payment_succeeded",
      "customer.subscription.updated",
      "customer.subscription.pending_update_applied",
    ]);
    const paid = await fetch(String(invoice.hosted_invoice_url));
    assert.deepEqual([paid.status, /is paid/.test(await paid.text())], [200, true]);
    await assert.rejects(control.payHostedInvoice(invoice.id), /409/);
  }),
);

Deno.test(
  "an update that needs 3-D Secure is applied once its owner approves",
  withClock(async (emulation, setNow) => {
    const { stripe, control } = emulation;
    const subscription = await subscribed(emulation, "pm_card_authenticationRequired", setNow);
    const held = await raise(stripe, subscription, 4);
    assert((await eventTypes(stripe)).includes("invoice.payment_action_required"));
    const { id } = expanded(held.latest_invoice);
    const card = "4000002760003184";
    assert.equal(await control.payHostedInvoice(id, { card }), `/i/${id}/authenticate`);
    assert.match(await control.authenticateInvoice(id, "refuse"), /authentication_failed/);
    await control.payHostedInvoice(id, { card });
    assert.equal(await control.authenticateInvoice(id, "approve"), `/i/${id}`);
    assert.equal(itemOf(await stripe.subscriptions.retrieve(held.id)).quantity, 4);
  }),
);

Deno.test(
  "an update that is never paid expires, and its invoice is void",
  withClock(async (emulation, setNow) => {
    const { stripe, control } = emulation;
    const subscription = await subscribed(emulation, "pm_card_chargeCustomerFail", setNow);
    const held = await raise(stripe, subscription, 6);
    const events = (await eventTypes(stripe)).length;
    const expired = await control.expirePendingUpdate(held.id);
    assert.deepEqual([itemOf(expired).quantity, expired.pending_update], [3, null]);
    const { id } = expanded(held.latest_invoice);
    assert.equal((await stripe.invoices.retrieve(id)).status, "void");
    assert.deepEqual((await eventTypes(stripe)).slice(events), [
      "invoice.voided",
      "customer.subscription.updated",
      "customer.subscription.pending_update_expired",
    ]);
    const { previous } = await lastEvent(stripe, "customer.subscription.updated");
    assert.deepEqual(Object.keys(previous), ["pending_update"]);
    // Nothing of it is left for the next bill.
    assert.equal((await stripe.invoices.createPreview({ subscription: held.id })).total, 2000);
    await assert.rejects(control.payHostedInvoice(id), /410/);
  }),
);

Deno.test(
  "another update takes the place of one that waits; voiding its invoice gives it up",
  withClock(async (emulation, setNow) => {
    const { stripe } = emulation;
    const subscription = await subscribed(emulation, "pm_card_chargeCustomerFail", setNow);
    const first = expanded((await raise(stripe, subscription, 6)).latest_invoice);
    const second = expanded((await raise(stripe, subscription, 9)).latest_invoice);
    assert.equal((await stripe.invoices.retrieve(first.id)).status, "void");
    assert.equal(second.amount_due, 2800);
    assert.equal((await stripe.invoices.voidInvoice(second.id)).status, "void");
    const left = await stripe.subscriptions.retrieve(subscription.id);
    assert.deepEqual([left.pending_update, itemOf(left).quantity], [null, 3]);
  }),
);

Deno.test(
  "what a pending update's invoice took comes back: credit, and items that waited before",
  withClock(async (emulation, setNow) => {
    const { stripe, control } = emulation;
    const subscription = await subscribed(emulation, "pm_card_chargeCustomerFail", setNow, 5);
    const { id } = itemOf(subscription);
    const preview = (quantity: number) =>
      stripe.invoices.createPreview({
        subscription: subscription.id,
        subscription_details: {
          items: [{ id, quantity }],
          proration_behavior: "always_invoice",
        },
      });
    const balance = async () => {
      const customer = await stripe.customers.retrieve(String(subscription.customer));
      return customer.deleted ? undefined : customer.balance;
    };
    // Two seats less for two thirds of a month are a credit; one more waits for the next invoice.
    await raise(stripe, subscription, 3);
    assert.equal(await balance(), -934);
    await stripe.subscriptions.update(subscription.id, { items: [{ id, quantity: 4 }] });
    const expected = await preview(9);
    assert.deepEqual([expected.total, expected.amount_due], [467 + 2333, 2800 - 934]);
    const held = await raise(stripe, subscription, 9);
    const invoice = expanded(held.latest_invoice);
    assert.deepEqual([invoice.total, invoice.amount_due], [2800, 1866]);
    assert.equal(await balance(), 0);
    assert.equal((await preview(9)).amount_due, 1866);
    await control.expirePendingUpdate(subscription.id);
    assert.equal(await balance(), -934);
    assert.equal((await preview(9)).amount_due, 1866);
  }),
);

Deno.test("only what can wait may go with a pending update", () =>
  withStripe(async ({ stripe }) => {
    const subscription = await subscribe(stripe, 3);
    const { id } = itemOf(subscription);
    const refused: [Stripe.SubscriptionUpdateParams, string][] = [
      [{ description: "x" }, "description"],
      [{ default_payment_method: "pm_card_visa" }, "default_payment_method"],
      [{ items: [{ id, quantity: 4, metadata: { a: "1" } }] }, "items[0][metadata]"],
    ];
    for (const [params, param] of refused) {
      await assert.rejects(raise(stripe, subscription, 4, params), { statusCode: 400, param });
    }
    await raise(stripe, subscription, 4, { cancel_at_period_end: true, metadata: { a: "1" } });
  }));

Deno.test(
  "another interval can wait as well; its period is that of the update",
  withClock(async (emulation, setNow) => {
    const { stripe, control } = emulation;
    const subscription = await subscribed(emulation, "pm_card_chargeCustomerFail", setNow);
    const { yearly } = await prices(stripe);
    const held = await stripe.subscriptions.update(subscription.id, {
      items: [{ id: itemOf(subscription).id, price: yearly, quantity: 3 }],
      billing_cycle_anchor: { type: "now" },
      proration_behavior: "always_invoice",
      payment_behavior: "pending_if_incomplete",
      cancel_at_period_end: true,
      expand: ["latest_invoice"],
    });
    assert.deepEqual([held.cancel_at, held.pending_update?.cancel_at_period_end], [null, true]);
    assert.equal(itemOf(held).price.id, itemOf(subscription).price.id);
    assert.equal(held.billing_cycle_anchor, subscription.billing_cycle_anchor);
    const anchor = held.pending_update?.billing_cycle_anchor ?? 0;
    setNow(anchor + HOUR);
    await control.payHostedInvoice(expanded(held.latest_invoice).id);
    const applied = await stripe.subscriptions.retrieve(held.id);
    assert.deepEqual(
      [
        itemOf(applied).price.id,
        applied.billing_cycle_anchor,
        itemOf(applied).current_period_start,
      ],
      [yearly, anchor, anchor],
    );
    assert.equal(applied.cancel_at, itemOf(applied).current_period_end);
  }),
);

Deno.test(
  "an update of an item can wait as well",
  withClock(async (emulation, setNow) => {
    const { stripe, control } = emulation;
    const subscription = await subscribed(emulation, "pm_card_chargeCustomerFail", setNow);
    const { id } = itemOf(subscription);
    const params = {
      payment_behavior: "pending_if_incomplete",
      proration_behavior: "always_invoice",
    } as const;
    const item = await stripe.subscriptionItems.update(id, { quantity: 6, ...params });
    assert.equal(item.quantity, 3);
    const { latest_invoice } = await stripe.subscriptions.retrieve(subscription.id);
    await control.payHostedInvoice(String(latest_invoice));
    assert.equal((await stripe.subscriptionItems.retrieve(id)).quantity, 6);
    await assert.rejects(
      stripe.subscriptionItems.update(id, { metadata: { a: "1" }, ...params }),
      { param: "metadata" },
    );
  }),
);

Deno.test("cancelling gives a pending update up", () =>
  withStripe(async ({ stripe, control }) => {
    const customer = await customerWith(stripe, "pm_card_chargeCustomerFail");
    const { monthly } = await prices(stripe);
    const subscription = await stripe.subscriptions.create({
      customer: customer.id,
      items: [{ price: monthly, quantity: 3 }],
      payment_behavior: "default_incomplete",
    });
    await control.payInvoice(String(subscription.latest_invoice));
    const held = await raise(stripe, subscription, 5);
    const canceled = await stripe.subscriptions.cancel(held.id);
    assert.deepEqual([canceled.status, canceled.pending_update], ["canceled", null]);
    const { id } = expanded(held.latest_invoice);
    assert.equal((await stripe.invoices.retrieve(id)).status, "void");
  }));
