import assert from "node:assert/strict";
import { Stripe } from "stripe";
import { openSession, subscriptionOf } from "./checkout_sessions.ts";
import { eventTypes, expanded, itemOf, lastEvent, prices, withStripe } from "./emulation.ts";

Deno.test("a paid session makes the subscription, its paid invoice and its events", () =>
  withStripe(async ({ stripe, control }) => {
    const { id, customer } = await openSession({ stripe });
    const before = await eventTypes(stripe);
    const location = await control.payCheckout(id);
    assert.equal(location, `http://127.0.0.1:3000/done?session=${id}`);

    const session = await stripe.checkout.sessions.retrieve(id);
    assert.deepEqual(
      [session.status, session.payment_status, session.url, session.customer],
      ["complete", "paid", null, customer],
    );
    assert.equal(session.client_reference_id, "org_1");
    assert.deepEqual(session.metadata, { seat_change_id: "change_1" });
    const subscription = await subscriptionOf(stripe, id);
    assert.equal(subscription.status, "active");
    assert.equal(subscription.customer, customer);
    assert.deepEqual(subscription.metadata, { organization_id: "org_1" });
    assert.equal(subscription.billing_mode.type, "flexible");
    const item = itemOf(subscription);
    assert.equal(item.quantity, 5);
    assert.equal(item.price.lookup_key, "seatkeeper_pro_monthly");
    assert.equal(item.current_period_start, subscription.created);
    const invoice = expanded(subscription.latest_invoice);
    assert.deepEqual(
      [invoice.status, invoice.total, invoice.amount_paid, invoice.billing_reason],
      ["paid", 3400, 3400, "subscription_create"],
    );
    assert.equal(invoice.parent?.subscription_details?.subscription, subscription.id);
    assert.equal(session.invoice, invoice.id);
    const methods = await stripe.customers.listPaymentMethods(String(customer));
    assert.deepEqual(methods.data.map((one) => [one.id, one.card?.last4]), [
      [subscription.default_payment_method, "4242"],
    ]);
    assert.deepEqual((await eventTypes(stripe)).slice(before.length).sort(), [
      "checkout.session.completed",
      "customer.subscription.created",
      "customer.updated",
      "invoice.created",
      "invoice.finalized",
      "invoice.paid",
      "invoice.payment_succeeded",
      "payment_method.attached",
    ]);
    const { object } = await lastEvent(stripe, "customer.subscription.created");
    assert.equal((object as Stripe.Subscription).status, "active");
    assert.equal((object as Stripe.Subscription).latest_invoice, invoice.id);
  }));

Deno.test("a session without a customer makes one", () =>
  withStripe(async ({ stripe, control }) => {
    const { id } = await openSession({ stripe }, { customer_email: "new@example.com" });
    await control.payCheckout(id);
    const session = await stripe.checkout.sessions.retrieve(id, { expand: ["customer"] });
    assert(session.customer !== null && typeof session.customer === "object");
    assert(!session.customer.deleted);
    assert.equal(session.customer.email, "new@example.com");
    assert.equal(session.customer_details?.email, "new@example.com");
  }));

Deno.test("a customer whom the session doesn't know has to give an e-mail address", () =>
  withStripe(async ({ stripe, control }) => {
    const { monthly: price } = await prices(stripe);
    const { id, url } = await stripe.checkout.sessions.create({
      mode: "subscription",
      line_items: [{ price, quantity: 1 }],
      success_url: "http://127.0.0.1:3000/done",
    });
    assert((await (await fetch(url ?? "")).text()).includes('name="email"'));
    assert.equal(await control.payCheckout(id), `/c/pay/${id}?problem=missing_email`);
    assert.equal((await stripe.customers.list()).data.length, 0);
    await control.payCheckout(id, { email: "new@example.com" });
    const { customer_details } = await stripe.checkout.sessions.retrieve(id);
    assert.equal(customer_details?.email, "new@example.com");
  }));

Deno.test("a session can be paid though its price was switched off, not though its customer is gone", () =>
  withStripe(async ({ stripe, control }) => {
    const { id } = await openSession({ stripe });
    const other = await openSession({ stripe });
    await stripe.prices.update((await prices(stripe)).monthly, { active: false });
    await control.payCheckout(id);
    assert.equal((await subscriptionOf(stripe, id)).status, "active");
    await stripe.customers.del(String(other.customer));
    await assert.rejects(control.payCheckout(other.id), /400/);
    assert.equal((await stripe.checkout.sessions.retrieve(other.id)).status, "open");
  }));

Deno.test("a declined card leaves the session open and makes nothing", () =>
  withStripe(async ({ stripe, control }) => {
    const { id, url } = await openSession({ stripe });
    const before = await eventTypes(stripe);
    for (const card of ["4000 0000 0000 0002", "4000000000000341"]) {
      const location = await control.payCheckout(id, { card });
      assert.equal(location, `/c/pay/${id}?problem=card_declined`);
    }
    assert.equal(
      await control.payCheckout(id, { card: "1234" }),
      `/c/pay/${id}?problem=invalid_number`,
    );
    const page = await (await fetch(`${url}?problem=card_declined`)).text();
    assert(page.includes("Your card was declined"));
    const { status, payment_status } = await stripe.checkout.sessions.retrieve(id);
    assert.deepEqual([status, payment_status], ["open", "unpaid"]);
    assert.deepEqual(await eventTypes(stripe), before);
    assert.match(await control.payCheckout(id), /^http:\/\/127\.0\.0\.1:3000\/done/);
  }));

Deno.test("3-D Secure: the payment waits for its approval", () =>
  withStripe(async ({ stripe, control }) => {
    const { id } = await openSession({ stripe });
    const card = "4000002760003184";
    assert.equal(await control.payCheckout(id, { card }), `/c/pay/${id}/authenticate`);
    assert.equal((await stripe.checkout.sessions.retrieve(id)).status, "open");
    const refused = await control.authenticateCheckout(id, "refuse");
    assert.equal(refused, `/c/pay/${id}?problem=authentication_failed`);
    // Without a payment that waits there is nothing to approve.
    assert.equal(await control.authenticateCheckout(id, "approve"), refused);
    assert.equal((await stripe.checkout.sessions.retrieve(id)).status, "open");

    await control.payCheckout(id, { card });
    const approved = await control.authenticateCheckout(id, "approve");
    assert.match(approved, /^http:\/\/127\.0\.0\.1:3000\/done/);
    assert.equal((await subscriptionOf(stripe, id)).status, "active");
  }));

Deno.test("a delayed payment that succeeds", () =>
  withStripe(async ({ stripe, control }) => {
    const { id } = await openSession({ stripe });
    await control.payCheckout(id, { method: "later" });
    const { object } = await lastEvent(stripe, "checkout.session.completed");
    assert.deepEqual(
      [
        (object as Stripe.Checkout.Session).payment_status,
        (object as Stripe.Checkout.Session).status,
      ],
      ["unpaid", "complete"],
    );
    const waiting = await subscriptionOf(stripe, id);
    assert.deepEqual([waiting.status, expanded(waiting.latest_invoice).status], ["active", "open"]);
    const before = (await eventTypes(stripe)).length;
    await control.settleCheckout(id, "succeeded");
    assert.equal((await stripe.checkout.sessions.retrieve(id)).payment_status, "paid");
    assert.equal(expanded((await subscriptionOf(stripe, id)).latest_invoice).status, "paid");
    assert.deepEqual((await eventTypes(stripe)).slice(before), [
      "invoice.paid",
      "invoice.payment_succeeded",
      "checkout.session.async_payment_succeeded",
    ]);
    await assert.rejects(control.settleCheckout(id, "succeeded"), /400/);
  }));

Deno.test("a delayed payment that fails", () =>
  withStripe(async ({ stripe, control }) => {
    const { id } = await openSession({ stripe });
    await control.payCheckout(id, { method: "later" });
    const before = (await eventTypes(stripe)).length;
    await control.settleCheckout(id, "failed");
    assert.equal((await stripe.checkout.sessions.retrieve(id)).payment_status, "unpaid");
    const { status, latest_invoice } = await subscriptionOf(stripe, id);
    assert.deepEqual([status, expanded(latest_invoice).status], ["past_due", "open"]);
    assert.deepEqual((await eventTypes(stripe)).slice(before), [
      "invoice.payment_failed",
      "customer.subscription.updated",
      "checkout.session.async_payment_failed",
    ]);
    await assert.rejects(control.settleCheckout(id, "succeeded"), /400/);
  }));

Deno.test("64 payments at once make one subscription", () =>
  withStripe(async ({ stripe, control }) => {
    const { id, customer } = await openSession({ stripe });
    const results = await Promise.allSettled(
      Array.from({ length: 64 }, () => control.payCheckout(id)),
    );
    assert.equal(results.filter(({ status }) => status === "fulfilled").length, 1);
    const { data } = await stripe.subscriptions.list({ customer: String(customer), status: "all" });
    assert.equal(data.length, 1);
    assert.equal((await stripe.invoices.list()).data.length, 1);
  }));

Deno.test("a trial is started without payment", () =>
  withStripe(async ({ stripe, control }) => {
    const { id, amount_total } = await openSession({ stripe }, {
      payment_method_collection: "if_required",
      subscription_data: {
        trial_period_days: 7,
        trial_settings: { end_behavior: { missing_payment_method: "cancel" } },
      },
    });
    assert.equal(amount_total, 0);
    await control.payCheckout(id, { card: "" });
    const session = await stripe.checkout.sessions.retrieve(id);
    assert.equal(session.payment_status, "no_payment_required");
    const subscription = await subscriptionOf(stripe, id);
    assert.deepEqual([subscription.status, subscription.default_payment_method], [
      "trialing",
      null,
    ]);
    assert.equal(subscription.trial_end, subscription.created + 7 * 24 * 60 * 60);
    assert.equal(itemOf(subscription).current_period_end, subscription.trial_end);
    const { status, total } = expanded(subscription.latest_invoice);
    assert.deepEqual([status, total], ["paid", 0]);
  }));
