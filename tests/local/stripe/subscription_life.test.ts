import assert from "node:assert/strict";
import { Stripe } from "stripe";
import {
  customerWith,
  eventTypes,
  expanded,
  itemOf,
  lastEvent,
  prices,
  subscribe,
  withStripe,
} from "./emulation.ts";

Deno.test("a subscription starts active, incomplete or not at all, as its card decides", () =>
  withStripe(async ({ stripe }) => {
    const active = await subscribe(stripe, 4);
    assert.equal(active.status, "active");
    assert.equal(expanded(active.latest_invoice).status, "paid");

    const declined = await subscribe(stripe, 4, { card: "pm_card_chargeCustomerFail" });
    assert.equal(declined.status, "incomplete");
    assert.equal(expanded(declined.latest_invoice).status, "open");
    assert.deepEqual((await eventTypes(stripe)).slice(-2), [
      "invoice.payment_failed",
      "customer.subscription.created",
    ]);

    const challenged = await subscribe(stripe, 4, { card: "pm_card_authenticationRequired" });
    assert.equal(challenged.status, "incomplete");
    assert((await eventTypes(stripe)).includes("invoice.payment_action_required"));

    const count = (await stripe.subscriptions.list({ status: "all" })).data.length;
    await assert.rejects(
      subscribe(stripe, 4, {
        card: "pm_card_chargeCustomerFail",
        payment_behavior: "error_if_incomplete",
      }),
      { type: "StripeCardError", code: "card_declined", statusCode: 402 },
    );
    await assert.rejects(
      subscribe(stripe, 4, {
        card: "pm_card_authenticationRequired",
        payment_behavior: "error_if_incomplete",
      }),
      { statusCode: 402, code: "subscription_payment_intent_requires_action" },
    );
    await assert.rejects(stripe.invoices.pay(expanded(challenged.latest_invoice).id), {
      statusCode: 402,
      code: "invoice_payment_intent_requires_action",
    });
    await assert.rejects(
      stripe.paymentMethods.attach("pm_card_visa_chargeDeclined", {
        customer: String(active.customer),
      }),
      { code: "card_declined" },
    );
    const { monthly } = await prices(stripe);
    const { id: customer } = await stripe.customers.create();
    await assert.rejects(
      stripe.subscriptions.create({ customer, items: [{ price: monthly }] }),
      /no attached payment source/,
    );
    assert.equal((await stripe.subscriptions.list({ status: "all" })).data.length, count);
  }));

Deno.test("an incomplete subscription is paid, or expires", () =>
  withStripe(async ({ stripe, control }) => {
    const params = { payment_behavior: "default_incomplete" } as const;
    const paid = await subscribe(stripe, 4, params);
    assert.equal(paid.status, "incomplete");
    const invoice = await stripe.invoices.pay(expanded(paid.latest_invoice).id);
    assert.deepEqual([invoice.status, invoice.amount_paid], ["paid", 2700]);
    assert.equal((await stripe.subscriptions.retrieve(paid.id)).status, "active");
    const { previous } = await lastEvent(stripe, "customer.subscription.updated");
    assert.deepEqual(previous, { status: "incomplete" });
    await assert.rejects(stripe.invoices.pay(invoice.id), /already paid/);

    const left = await subscribe(stripe, 4, params);
    const expired = await control.expireIncomplete(left.id);
    assert.equal(expired.status, "incomplete_expired");
    const { status } = await stripe.invoices.retrieve(expanded(left.latest_invoice).id);
    assert.equal(status, "void");
    await assert.rejects(control.expireIncomplete(left.id), /400/);
  }));

Deno.test("a subscription is cancelled at once, with its reasons", () =>
  withStripe(async ({ stripe }) => {
    const { id, customer } = await subscribe(stripe, 4);
    const canceled = await stripe.subscriptions.cancel(id, {
      cancellation_details: { comment: "Too dear", feedback: "too_expensive" },
    });
    assert.equal(canceled.status, "canceled");
    assert.equal(canceled.ended_at, canceled.canceled_at);
    assert.deepEqual(canceled.cancellation_details, {
      comment: "Too dear",
      feedback: "too_expensive",
      feedback_option: null,
      reason: "cancellation_requested",
    });
    const { object } = await lastEvent(stripe, "customer.subscription.deleted");
    assert.equal((object as Stripe.Subscription).status, "canceled");
    const ids = async (status?: Stripe.SubscriptionListParams.Status) => {
      const list = await stripe.subscriptions.list({
        customer: String(customer),
        ...(status === undefined ? {} : { status }),
      });
      return list.data.map((one) => one.id);
    };
    assert.deepEqual(await ids(), []);
    assert.deepEqual([await ids("all"), await ids("canceled"), await ids("ended")], [[id], [id], [
      id,
    ]]);
    assert.deepEqual(await ids("active"), []);
    await assert.rejects(stripe.subscriptions.cancel(id), { statusCode: 400 });
    await assert.rejects(stripe.subscriptions.update(id, { cancel_at_period_end: true }), {
      statusCode: 400,
    });
    const { metadata } = await stripe.subscriptions.update(id, { metadata: { a: "1" } });
    assert.deepEqual(metadata, { a: "1" });
  }));

Deno.test("a subscription that is to end keeps its period, and can be kept after all", () =>
  withStripe(async ({ stripe, control }) => {
    const subscription = await subscribe(stripe, 4);
    const { id } = subscription;
    const ending = await stripe.subscriptions.update(id, { cancel_at_period_end: true });
    assert.deepEqual(
      [ending.status, ending.cancel_at, ending.cancellation_details?.reason],
      ["active", itemOf(subscription).current_period_end, "cancellation_requested"],
    );
    const { previous } = await lastEvent(stripe, "customer.subscription.updated");
    assert.deepEqual(previous, {
      cancel_at: null,
      cancel_at_period_end: false,
      canceled_at: null,
      cancellation_details: { reason: null },
    });
    const kept = await stripe.subscriptions.update(id, { cancel_at_period_end: false });
    assert.deepEqual([kept.cancel_at, kept.canceled_at], [null, null]);
    await control.endPeriod(id);
    assert.equal((await stripe.subscriptions.retrieve(id)).status, "active");
    await stripe.subscriptions.update(id, { cancel_at_period_end: true });
    assert.equal((await control.endPeriod(id)).status, "canceled");
    assert.equal((await eventTypes(stripe)).at(-1), "customer.subscription.deleted");
    assert.equal((await stripe.invoices.list({ subscription: id })).data.length, 2);
  }));

Deno.test("a trial ends in the first payment, or as it was told to without a card", () =>
  withStripe(async ({ stripe, control }) => {
    const trial = { trial_period_days: 14 };
    const paying = await subscribe(stripe, 4, trial);
    assert.deepEqual([paying.status, expanded(paying.latest_invoice).total], ["trialing", 0]);
    const active = await control.endTrial(paying.id);
    assert.equal(active.status, "active");
    const { data: [invoice] } = await stripe.invoices.list({ subscription: paying.id });
    assert.deepEqual([invoice?.total, invoice?.status], [2700, "paid"]);
    const failing = await subscribe(stripe, 4, { ...trial, card: "pm_card_chargeCustomerFail" });
    assert.equal((await control.endTrial(failing.id)).status, "past_due");

    const { monthly: price } = await prices(stripe);
    const ends: Record<string, string> = {};
    for (const behaviour of ["cancel", "create_invoice", "pause"] as const) {
      const { id: customer } = await stripe.customers.create();
      const { id } = await stripe.subscriptions.create({
        customer,
        items: [{ price }],
        trial_period_days: 2,
        trial_settings: { end_behavior: { missing_payment_method: behaviour } },
      });
      ends[behaviour] = (await control.endPeriod(id)).status;
    }
    assert.deepEqual(ends, { cancel: "canceled", create_invoice: "past_due", pause: "paused" });
    const types = await eventTypes(stripe);
    assert.equal(types.at(-1), "customer.subscription.paused");
    assert.equal(types.filter((type) => type.endsWith("trial_will_end")).length, 3);
  }));

Deno.test("a change during a trial costs nothing", () =>
  withStripe(async ({ stripe }) => {
    const subscription = await subscribe(stripe, 4, { trial_period_days: 14 });
    await stripe.subscriptions.update(subscription.id, {
      items: [{ id: itemOf(subscription).id, quantity: 9 }],
      proration_behavior: "always_invoice",
    });
    assert.equal((await stripe.invoices.list()).data.length, 1);
  }));

Deno.test("while collection is paused, invoices are voided, written off or kept as drafts", () =>
  withStripe(async ({ stripe, control }) => {
    const { id } = await subscribe(stripe, 4);
    const statuses: Record<string, unknown> = {};
    for (const behavior of ["void", "mark_uncollectible", "keep_as_draft"] as const) {
      await stripe.subscriptions.update(id, { pause_collection: { behavior } });
      const { status, latest_invoice } = await control.endPeriod(id);
      assert.equal(status, "active");
      statuses[behavior] = (await stripe.invoices.retrieve(String(latest_invoice))).status;
    }
    assert.deepEqual(statuses, {
      void: "void",
      mark_uncollectible: "uncollectible",
      keep_as_draft: "draft",
    });
    const resumed = await stripe.subscriptions.update(id, { pause_collection: "" });
    assert.equal(resumed.pause_collection, null);
  }));

Deno.test("subscriptions and invoices are listed by what they belong to", () =>
  withStripe(async ({ stripe }) => {
    const one = await subscribe(stripe, 1);
    const two = await subscribe(stripe, 2);
    const { data } = await stripe.subscriptions.list({ customer: String(two.customer) });
    assert.deepEqual(data.map(({ id }) => id), [two.id]);
    const { monthly, yearly } = await prices(stripe);
    assert.equal((await stripe.subscriptions.list({ price: monthly })).data.length, 2);
    assert.equal((await stripe.subscriptions.list({ price: yearly })).data.length, 0);
    const invoices = await stripe.invoices.list({ subscription: one.id, status: "paid" });
    assert.deepEqual(invoices.data.map(({ customer }) => customer), [one.customer]);
    await assert.rejects(stripe.subscriptions.list({ customer: "cus_none" }), { statusCode: 400 });
  }));

Deno.test("a subscription has the currency of all its prices", () =>
  withStripe(async ({ stripe }) => {
    const { monthly } = await prices(stripe);
    const euro = await stripe.prices.create({
      currency: "eur",
      product_data: { name: "Support" },
      unit_amount: 500,
      recurring: { interval: "month" },
    });
    const customer = await customerWith(stripe, "pm_card_visa");
    await assert.rejects(
      stripe.subscriptions.create({
        customer: customer.id,
        items: [{ price: monthly }, { price: euro.id }],
      }),
      /same currency/,
    );
  }));
