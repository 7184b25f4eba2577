import assert from "node:assert/strict";
import { expanded, itemOf, prices, SECRET_KEY, subscribe, withStripe } from "./emulation.ts";
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
      const [delivery] = await control.settle();
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
