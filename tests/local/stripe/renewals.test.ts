import assert from "node:assert/strict";
import { eventTypes, expanded, itemOf, lastEvent, subscribe, withStripe } from "./emulation.ts";

const DAY = 24 * 60 * 60;

Deno.test("a renewal bills the next period", () =>
  withStripe(async ({ stripe, control }) => {
    const { id, items: { data: [before] } } = await subscribe(stripe, 4);
    const events = (await eventTypes(stripe)).length;
    await control.endPeriod(id);
    const subscription = await stripe.subscriptions.retrieve(id, { expand: ["latest_invoice"] });
    const item = itemOf(subscription);
    assert.equal(item.current_period_start, before?.current_period_end);
    assert(item.current_period_end >= item.current_period_start + 28 * DAY);
    const invoice = expanded(subscription.latest_invoice);
    assert.deepEqual(
      [invoice.billing_reason, invoice.status, invoice.total, invoice.period_end],
      ["subscription_cycle", "paid", 2700, before?.current_period_end],
    );
    assert.equal(invoice.lines.data[0]?.period.end, item.current_period_end);
    assert.deepEqual((await eventTypes(stripe)).slice(events), [
      "invoice.created",
      "customer.subscription.updated",
      "customer.updated",
      "invoice.finalized",
      "invoice.paid",
      "invoice.payment_succeeded",
    ]);
  }));

Deno.test("a renewal that fails: past_due, then paid again", () =>
  withStripe(async ({ stripe, control }) => {
    const { id } = await subscribe(stripe, 4);
    const events = (await eventTypes(stripe)).length;
    const failed = await control.endPeriod(id, "declined");
    assert.equal(failed.status, "past_due");
    assert.deepEqual((await eventTypes(stripe)).slice(events), [
      "invoice.created",
      "customer.subscription.updated",
      "customer.updated",
      "invoice.finalized",
      "invoice.payment_failed",
      "customer.subscription.updated",
    ]);
    const { previous } = await lastEvent(stripe, "customer.subscription.updated");
    assert.deepEqual(previous, { status: "active" });
    const invoice = String(failed.latest_invoice);
    const { attempt_count, next_payment_attempt } = await stripe.invoices.retrieve(invoice);
    assert.deepEqual([attempt_count, next_payment_attempt !== null], [1, true]);

    await stripe.invoices.pay(invoice);
    assert.equal((await stripe.subscriptions.retrieve(id)).status, "active");
    assert.deepEqual((await eventTypes(stripe)).slice(-3), [
      "invoice.paid",
      "invoice.payment_succeeded",
      "customer.subscription.updated",
    ]);
  }));

Deno.test("the retries used up: unpaid, whose renewals stay drafts, or canceled", () =>
  withStripe(async ({ stripe, control }) => {
    const { id } = await subscribe(stripe, 4);
    await assert.rejects(control.markUnpaid(id), /400/);
    const { latest_invoice: first } = await control.endPeriod(id, "requires_action");
    assert((await eventTypes(stripe)).includes("invoice.payment_action_required"));
    assert.equal((await control.markUnpaid(id)).status, "unpaid");
    const { status, latest_invoice: second } = await control.endPeriod(id);
    assert.equal(status, "unpaid");
    assert.equal((await stripe.invoices.retrieve(String(second))).status, "draft");
    await control.payInvoice(String(first));
    assert.equal((await stripe.subscriptions.retrieve(id)).status, "unpaid");

    const other = await subscribe(stripe, 4);
    await control.endPeriod(other.id, "declined");
    const canceled = await control.cancelForNonPayment(other.id);
    assert.equal(canceled.status, "canceled");
    assert.equal(canceled.cancellation_details?.reason, "payment_failed");
    assert.equal((await eventTypes(stripe)).at(-1), "customer.subscription.deleted");
  }));

Deno.test("a saved card that fails later makes renewals fail, until it is replaced", () =>
  withStripe(async ({ stripe, control }) => {
    const subscription = await subscribe(stripe, 4);
    const customer = String(subscription.customer);
    const bad = await stripe.paymentMethods.attach("pm_card_chargeCustomerFail", { customer });
    await stripe.subscriptions.update(subscription.id, { default_payment_method: bad.id });
    const { status, latest_invoice } = await control.endPeriod(subscription.id);
    assert.equal(status, "past_due");
    await assert.rejects(stripe.invoices.pay(String(latest_invoice)), { code: "card_declined" });
    const good = await stripe.paymentMethods.attach("pm_card_visa", { customer });
    await stripe.invoices.pay(String(latest_invoice), { payment_method: good.id });
    assert.equal((await stripe.subscriptions.retrieve(subscription.id)).status, "active");
    await assert.rejects(
      stripe.subscriptions.update(subscription.id, { default_payment_method: "pm_none" }),
      { code: "resource_missing" },
    );
  }));
