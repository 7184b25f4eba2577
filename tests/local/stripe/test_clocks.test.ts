import assert from "node:assert/strict";
import { Stripe } from "stripe";
import {
  customerWith,
  type Emulation,
  eventTypes,
  expanded,
  itemOf,
  prices,
  subscribe,
  withStripe,
  withWebhooks,
} from "./emulation.ts";

const HOUR = 60 * 60;
const DAY = 24 * HOUR;
/** A leap year's 31 January. */
const START = Date.UTC(2028, 0, 31, 12) / 1000;

/** A clock, and a subscription of a customer who lives by it. */
async function onClock(
  { stripe }: Pick<Emulation, "stripe">,
  card: string,
  params: Partial<Stripe.SubscriptionCreateParams> = {},
) {
  const clock = await stripe.testHelpers.testClocks.create({ frozen_time: START, name: "a" });
  const customer = await customerWith(stripe, card, clock.id);
  const { monthly: price } = await prices(stripe);
  const subscription = await stripe.subscriptions.create({
    customer: customer.id,
    items: [{ price, quantity: 4 }],
    ...params,
  });
  const advance = async (to: number) => {
    const moving = await stripe.testHelpers.testClocks.advance(clock.id, { frozen_time: to });
    assert.equal(moving.status, "advancing");
    const { status, frozen_time } = await stripe.testHelpers.testClocks.retrieve(clock.id);
    assert.deepEqual([status, frozen_time], ["ready", to]);
    return await stripe.subscriptions.retrieve(subscription.id, { expand: ["latest_invoice"] });
  };
  return { clock, customer, subscription, advance };
}

/** The subscription's events of these types and the invoices', oldest first, with their days. */
async function history(stripe: Stripe, after: number): Promise<[string, number][]> {
  const events: [string, number][] = [];
  for await (const { type, created } of stripe.events.list({ limit: 100 })) {
    if (created > after) events.unshift([type, (created - START) / DAY]);
  }
  return events;
}

Deno.test("a clock moves its customers through their renewals, and nobody else", () =>
  withStripe(async ({ stripe }) => {
    const other = await subscribe(stripe, 1);
    const { clock, customer, subscription, advance } = await onClock({ stripe }, "pm_card_visa");
    assert.deepEqual([customer.test_clock, customer.created], [clock.id, START]);
    assert.deepEqual([subscription.test_clock, subscription.created], [clock.id, START]);
    const march = Date.UTC(2028, 2, 31, 12) / 1000;
    const after = await advance(march);
    assert.deepEqual([itemOf(after).current_period_start, after.billing_cycle_anchor], [
      march,
      START,
    ]);
    const { data } = await stripe.invoices.list({ subscription: after.id });
    const february = Date.UTC(2028, 1, 29, 12) / 1000;
    assert.deepEqual(data.map(({ created }) => created), [march, february, START]);
    assert(data.every(({ status, test_clock: on }) => status === "paid" && on === clock.id));
    assert.equal((await stripe.invoices.list({ subscription: other.id })).data.length, 1);
    const listed = async (params: Stripe.SubscriptionListParams) =>
      (await stripe.subscriptions.list(params)).data.map(({ id }) => id);
    assert.deepEqual(await listed({}), [other.id]);
    assert.deepEqual(await listed({ test_clock: clock.id }), [after.id]);
    assert.deepEqual(await listed({ customer: customer.id }), [after.id]);
    assert.deepEqual((await stripe.customers.list()).data.map(({ id }) => id), [other.customer]);
  }));

Deno.test("events carry the clock's time; their signatures the real one", () =>
  withWebhooks(async ({ stripe, control, receiver, secret }) => {
    const { clock, subscription, advance } = await onClock({ stripe }, "pm_card_visa");
    const end = itemOf(subscription).current_period_end;
    await advance(end + DAY);
    await control.settle();
    const events = await Promise.all(
      receiver.received.map(({ body, headers }) =>
        stripe.webhooks.constructEventAsync(body, headers.get("stripe-signature") ?? "", secret)
      ),
    );
    const times = (type: string) =>
      events.filter((event) => event.type === type).map(({ created }) => created);
    assert.deepEqual(times("invoice.paid").sort(), [START, end]);
    assert.deepEqual(times("test_helpers.test_clock.ready"), [end + DAY]);
    assert.deepEqual(times("test_helpers.test_clock.advancing"), [START]);
    const ready = events.find(({ type }) => type === "test_helpers.test_clock.ready");
    assert.equal((ready?.data.object as Stripe.TestHelpers.TestClock).id, clock.id);
  }));

Deno.test("a trial is announced to end, and ends in the first payment", () =>
  withStripe(async ({ stripe }) => {
    const { advance } = await onClock({ stripe }, "pm_card_visa", { trial_period_days: 14 });
    assert.equal((await advance(START + 10 * DAY)).status, "trialing");
    assert(!(await eventTypes(stripe)).includes("customer.subscription.trial_will_end"));
    const trialing = await advance(START + 11 * DAY);
    assert.equal((await eventTypes(stripe)).filter((type) => /will_end/.test(type)).length, 1);
    assert.equal(trialing.trial_end, START + 14 * DAY);
    const active = await advance(START + 14 * DAY);
    assert.deepEqual([active.status, expanded(active.latest_invoice).total], ["active", 2700]);
    assert.equal(active.billing_cycle_anchor, START + 14 * DAY);
    assert.equal((await eventTypes(stripe)).filter((type) => /will_end/.test(type)).length, 1);
  }));

Deno.test("what is not paid is tried again, and then ends as the account is set", () =>
  withStripe(async ({ stripe, control }) => {
    const outcomes: Record<string, unknown> = {};
    for (const outcome of [undefined, "unpaid", "past_due"] as const) {
      const { customer, subscription, advance } = await onClock({ stripe }, "pm_card_visa");
      if (outcome !== undefined) await control.setAfterRetries(outcome, customer.id);
      const bad = await stripe.paymentMethods.attach("pm_card_chargeCustomerFail", {
        customer: customer.id,
      });
      await stripe.customers.update(customer.id, {
        invoice_settings: { default_payment_method: bad.id },
      });
      const end = itemOf(subscription).current_period_end;
      const failed = await advance(end);
      assert.equal(failed.status, "past_due");
      const { next_payment_attempt: next, id } = expanded(failed.latest_invoice);
      assert.equal(next, end + 3 * DAY);
      // A manual attempt moves no retry.
      await assert.rejects(stripe.invoices.pay(id), { code: "card_declined" });
      assert.equal((await stripe.invoices.retrieve(id)).next_payment_attempt, next);
      await advance(end + 14 * DAY);
      const last = await stripe.invoices.retrieve(id);
      assert.deepEqual([last.attempt_count, last.next_payment_attempt], [3, end + 15 * DAY]);
      const left = await advance(end + 15 * DAY);
      outcomes[String(outcome)] = left.status;
      assert.equal((await stripe.invoices.retrieve(id)).attempt_count, 4);
    }
    assert.deepEqual(outcomes, { undefined: "canceled", unpaid: "unpaid", past_due: "past_due" });
  }));

Deno.test("a retry that succeeds brings a past_due subscription back", () =>
  withStripe(async ({ stripe }) => {
    const { customer, subscription, advance } = await onClock({ stripe }, "pm_card_visa");
    const bad = await stripe.paymentMethods.attach("pm_card_chargeCustomerFail", {
      customer: customer.id,
    });
    const good = customer.invoice_settings.default_payment_method;
    const use = (method: string) =>
      stripe.customers.update(customer.id, {
        invoice_settings: { default_payment_method: method },
      });
    await use(bad.id);
    const end = itemOf(subscription).current_period_end;
    assert.equal((await advance(end + 4 * DAY)).status, "past_due");
    await use(String(good));
    const paid = await advance(end + 8 * DAY);
    assert.deepEqual([paid.status, expanded(paid.latest_invoice).attempt_count], ["active", 3]);
  }));

Deno.test("what waits too long expires in its time: a first payment, a pending update", () =>
  withStripe(async ({ stripe }) => {
    const first = await onClock({ stripe }, "pm_card_chargeCustomerFail");
    assert.equal((await first.advance(START + 23 * HOUR - 1)).status, "incomplete");
    assert.equal((await first.advance(START + 23 * HOUR)).status, "incomplete_expired");

    const second = await onClock({ stripe }, "pm_card_visa");
    const { subscription: { id, items }, customer } = second;
    const bad = await stripe.paymentMethods.attach("pm_card_chargeCustomerFail", {
      customer: customer.id,
    });
    await stripe.customers.update(customer.id, {
      invoice_settings: { default_payment_method: bad.id },
    });
    const end = items.data[0]?.current_period_end ?? 0;
    await second.advance(end - HOUR);
    const held = await stripe.subscriptions.update(id, {
      items: [{ id: items.data[0]?.id ?? "", quantity: 9 }],
      payment_behavior: "pending_if_incomplete",
      proration_behavior: "always_invoice",
    });
    assert.equal(held.pending_update?.expires_at, end);
    await second.advance(end + 1);
    const types = (await history(stripe, end - HOUR)).filter(([, day]) => day < 30)
      .map(([type]) => type);
    assert.deepEqual(
      types.filter((type) => /voided|expired|invoice.created|payment_failed/.test(type)),
      [
        "invoice.voided",
        "customer.subscription.pending_update_expired",
        "invoice.created",
        "invoice.payment_failed",
      ],
    );
  }));

Deno.test("a subscription ends when it was to end: with its period, or at a moment", () =>
  withStripe(async ({ stripe }) => {
    for (
      const params of [{ cancel_at_period_end: true }, { cancel_at: "max_period_end" }] as const
    ) {
      const { subscription, advance } = await onClock({ stripe }, "pm_card_visa");
      const { cancel_at: at } = await stripe.subscriptions.update(subscription.id, params);
      const end = itemOf(subscription).current_period_end;
      assert.equal(at, end);
      assert.equal((await advance(end - 1)).status, "active");
      const ended = await advance(end + DAY);
      assert.deepEqual([ended.status, ended.ended_at], ["canceled", end]);
      assert.equal((await stripe.invoices.list({ subscription: ended.id })).data.length, 1);
    }
    const { subscription, advance } = await onClock({ stripe }, "pm_card_visa");
    await stripe.subscriptions.update(subscription.id, { cancel_at: START + DAY });
    assert.equal((await advance(START + 2 * DAY)).ended_at, START + DAY);
  }));

Deno.test("collection that is paused until a day goes on from there", () =>
  withStripe(async ({ stripe }) => {
    const { subscription, advance } = await onClock({ stripe }, "pm_card_visa");
    const end = itemOf(subscription).current_period_end;
    await stripe.subscriptions.update(subscription.id, {
      pause_collection: { behavior: "void", resumes_at: end + DAY },
    });
    assert.equal(expanded((await advance(end)).latest_invoice).status, "void");
    assert.equal((await advance(end + DAY)).pause_collection, null);
  }));

Deno.test("a clock only goes forward, and not too far; deleted, it takes its customers along", () =>
  withStripe(async ({ stripe }) => {
    const { clock, customer, subscription } = await onClock({ stripe }, "pm_card_visa");
    const { testClocks } = stripe.testHelpers;
    for (const frozen_time of [START, START - 1, START + 70 * DAY]) {
      await assert.rejects(testClocks.advance(clock.id, { frozen_time }), { param: "frozen_time" });
    }
    assert.deepEqual((await testClocks.list()).data.map(({ id }) => id), [clock.id]);
    assert.equal((await testClocks.del(clock.id)).deleted, true);
    await assert.rejects(testClocks.retrieve(clock.id), { statusCode: 404 });
    assert((await stripe.customers.retrieve(customer.id)).deleted);
    assert.equal((await stripe.subscriptions.retrieve(subscription.id)).status, "canceled");
    await assert.rejects(stripe.customers.create({ test_clock: "clock_none" }), {
      param: "test_clock",
    });
  }));

Deno.test("Checkout works for customers on a clock, in real time, for what they buy in theirs", () =>
  withStripe(async ({ stripe, control }) => {
    const clock = await stripe.testHelpers.testClocks.create({ frozen_time: START });
    const { id: customer } = await stripe.customers.create({ test_clock: clock.id });
    const { monthly: price } = await prices(stripe);
    const session = await stripe.checkout.sessions.create({
      mode: "subscription",
      customer,
      line_items: [{ price, quantity: 4 }],
      success_url: "http://127.0.0.1/ok",
    });
    await control.payCheckout(session.id);
    const { subscription } = await stripe.checkout.sessions.retrieve(session.id, {
      expand: ["subscription"],
    });
    assert(subscription !== null && typeof subscription === "object");
    assert.deepEqual([subscription.created, subscription.test_clock], [START, clock.id]);
  }));
