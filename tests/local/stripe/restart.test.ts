import assert from "node:assert/strict";
import {
  customerWith,
  expanded,
  itemOf,
  prices,
  SECRET_KEY,
  subscribe,
  withStripe,
} from "./emulation.ts";
import { startReceiver } from "../emulation/receiver.ts";

async function withStatePath(run: (statePath: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(`${folder}/stripe.json`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("an account survives a restart, exact amounts and keys included", () =>
  withStatePath(async (statePath) => {
    const idempotencyKey = "key_1";
    let subscription = "", session = "", customer = "";
    await withStripe(async ({ stripe }) => {
      subscription = (await subscribe(stripe, 5)).id;
      customer = (await stripe.customers.create({ name: "A" }, { idempotencyKey })).id;
      const { monthly: price } = await prices(stripe);
      const opened = await stripe.checkout.sessions.create({
        mode: "subscription",
        customer,
        line_items: [{ price, quantity: 4 }],
        success_url: "http://127.0.0.1/ok",
      });
      session = opened.id;
    }, { statePath });
    await withStripe(async ({ url, stripe, control }) => {
      assert.equal((await stripe.customers.create({ name: "A" }, { idempotencyKey })).id, customer);
      const before = await stripe.subscriptions.retrieve(subscription);
      const { id } = itemOf(before);
      await stripe.subscriptions.update(subscription, { items: [{ id, quantity: 6 }] });
      await control.endPeriod(subscription);
      const after = await stripe.subscriptions.retrieve(subscription, {
        expand: ["latest_invoice"],
      });
      assert.equal(expanded(after.latest_invoice).lines.data[2]?.amount, 3 * 700);

      const opened = await stripe.checkout.sessions.retrieve(session);
      assert.equal(opened.url, `${url}/c/pay/${session}`);
      await control.payCheckout(session);
      assert.equal((await stripe.checkout.sessions.retrieve(session)).status, "complete");
    }, { statePath });
  }));

Deno.test("a pending update and a test clock survive a restart", () =>
  withStatePath(async (statePath) => {
    const start = 1_900_000_000;
    let id = "", invoice = "", clock = "";
    await withStripe(async ({ stripe }) => {
      clock = (await stripe.testHelpers.testClocks.create({ frozen_time: start })).id;
      const { id: customer } = await customerWith(stripe, "pm_card_visa", clock);
      const { monthly: price } = await prices(stripe);
      const subscription = await stripe.subscriptions.create({
        customer,
        items: [{ price, quantity: 4 }],
      });
      const bad = await stripe.paymentMethods.attach("pm_card_chargeCustomerFail", { customer });
      await stripe.customers.update(customer, {
        invoice_settings: { default_payment_method: bad.id },
      });
      const held = await stripe.subscriptions.update(subscription.id, {
        items: [{ id: itemOf(subscription).id, quantity: 6 }],
        proration_behavior: "always_invoice",
        payment_behavior: "pending_if_incomplete",
      });
      id = held.id;
      invoice = String(held.latest_invoice);
    }, { statePath });
    await withStripe(async ({ url, stripe, control }) => {
      const { hosted_invoice_url } = await stripe.invoices.retrieve(invoice);
      assert.equal(hosted_invoice_url, `${url}/i/${invoice}`);
      await control.payHostedInvoice(invoice);
      const applied = await stripe.subscriptions.retrieve(id);
      assert.equal(itemOf(applied).quantity, 6);
      const end = itemOf(applied).current_period_end;
      await stripe.testHelpers.testClocks.advance(clock, { frozen_time: end });
      assert.equal((await stripe.subscriptions.retrieve(id)).status, "past_due");
    }, { statePath });
  }));

Deno.test("a webhook that was not delivered is sent after a restart, signed with the same secret", () =>
  withStatePath(async (statePath) => {
    const receiver = await startReceiver();
    let secret = "";
    await withStripe(async ({ stripe, control }) => {
      const endpoint = await stripe.webhookEndpoints.create({
        url: receiver.url,
        enabled_events: ["*"],
      });
      secret = endpoint.secret ?? "";
      receiver.answers.push(500);
      await stripe.customers.create();
      while ((await control.deliveries())[0]?.attempts.length !== 1);
    }, { statePath, retryScheduleMs: [0, 100] });
    await withStripe(async ({ stripe, control }) => {
      await control.settle();
      const [delivery] = await control.deliveries();
      assert.equal(delivery?.state, "delivered");
      const { body = "", headers = new Headers() } = receiver.received.at(-1) ?? {};
      const signature = headers.get("stripe-signature") ?? "";
      const event = await stripe.webhooks.constructEventAsync(body, signature, secret);
      assert.equal(event.type, "customer.created");
    }, { statePath, retryScheduleMs: [0, 100] });
    await receiver.close();
  }));

Deno.test("the state file holds no live key", () =>
  withStatePath(async (statePath) => {
    await withStripe(async ({ stripe }) => {
      await stripe.customers.create();
    }, { statePath });
    assert(!(await Deno.readTextFile(statePath)).includes(SECRET_KEY));
  }));
