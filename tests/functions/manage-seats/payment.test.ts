import assert from "node:assert/strict";
import { stackEnv } from "../../stack.ts";
import { assertRefused } from "../api.ts";
import { connect } from "../clients.ts";
import { addMembers, settled } from "../organizations.ts";
import {
  callSeats,
  type Change,
  changesOf,
  clickChange,
  createSubscriber,
  laterInvoices,
  replaceCard,
  seatsOf,
  type Subscriber,
  subscriptionOf,
} from "./seats.ts";

const clients = connect(stackEnv());
const { admin, stripe, stripeControl } = clients;

const CARDS = {
  "is declined": "pm_card_chargeCustomerFail",
  "asks for 3-D Secure": "pm_card_authenticationRequired",
} as const;

/** A subscriber whose card does not pay at once, with a change from 5 to 9 that waits. */
async function awaiting(card: string): Promise<{
  subscriber: Subscriber;
  change: Change;
  invoiceId: string;
}> {
  const subscriber = await createSubscriber(clients);
  await replaceCard(clients, subscriber, card);
  const { status, body } = await clickChange(clients, subscriber, { seats: 9 });
  assert.deepEqual([status, body.state], [202, "awaiting_payment"], JSON.stringify(body));
  const [invoice] = await laterInvoices(clients, subscriber);
  assert(invoice !== undefined);
  return { subscriber, change: body, invoiceId: invoice.id };
}

for (const [what, card] of Object.entries(CARDS)) {
  Deno.test(`a card that ${what} leads to Stripe's page, and to no seats`, async () => {
    const { subscriber, change, invoiceId } = await awaiting(card);

    const { hosted_invoice_url: page } = await stripe.invoices.retrieve(invoiceId);
    assert.equal(change.paymentUrl, page);
    assert.equal((await fetch(change.paymentUrl ?? "")).status, 200);
    await settled(clients, subscriber.subscriptionId);
    assert.deepEqual(await seatsOf(clients, subscriber), { plan: "pro", purchased: 5, renewal: 5 });
    assert.equal((await subscriptionOf(clients, subscriber)).quantity, 5);
    const { body: summary } = await callSeats<{ change: Change }>(clients, subscriber, "GET", "");
    assert.deepEqual([summary.change.state, summary.change.paymentUrl], ["awaiting_payment", page]);
  });

  Deno.test(`seats that a card that ${what} didn't pay are granted once they are paid on Stripe's page`, async () => {
    const { subscriber, invoiceId } = await awaiting(card);

    await stripeControl.payHostedInvoice(invoiceId);
    await settled(clients, subscriber.subscriptionId);

    assert.deepEqual(await seatsOf(clients, subscriber), { plan: "pro", purchased: 9, renewal: 9 });
    assert.deepEqual(await changesOf(clients, subscriber), [
      { state: "completed", kind: "now", seats: 9 },
    ]);
    const paid = (await laterInvoices(clients, subscriber)).map(({ status }) => status);
    assert.deepEqual(paid, ["paid"]);
  });

  Deno.test(`seats that a card that ${what} didn't pay are never granted when nobody pays`, async () => {
    const { subscriber } = await awaiting(card);

    await stripeControl.expirePendingUpdate(subscriber.subscriptionId);
    await settled(clients, subscriber.subscriptionId);

    assert.deepEqual(await seatsOf(clients, subscriber), { plan: "pro", purchased: 5, renewal: 5 });
    assert.deepEqual(await changesOf(clients, subscriber), [
      { state: "expired", kind: "now", seats: 9 },
    ]);
    const { body: summary } = await callSeats<{ change: unknown }>(clients, subscriber, "GET", "");
    assert.equal(summary.change, null);
    assert.equal((await clickChange(clients, subscriber, { seats: 8 })).status, 202);
  });
}

Deno.test("a payment that 3-D Secure approves grants, and one that it refuses doesn't", async () => {
  const { subscriber, invoiceId } = await awaiting(CARDS["is declined"]);
  const card = "4000002760003184";

  await stripeControl.payHostedInvoice(invoiceId, { card });
  await stripeControl.authenticateInvoice(invoiceId, "refuse");
  await settled(clients, subscriber.subscriptionId);
  assert.equal((await seatsOf(clients, subscriber)).purchased, 5);

  await stripeControl.payHostedInvoice(invoiceId, { card });
  await stripeControl.authenticateInvoice(invoiceId, "approve");
  await settled(clients, subscriber.subscriptionId);
  assert.equal((await seatsOf(clients, subscriber)).purchased, 9);
});

Deno.test("while a payment is awaited the same key leads to its page, and another change waits", async () => {
  const subscriber = await createSubscriber(clients);
  await replaceCard(clients, subscriber, CARDS["is declined"]);
  const key = crypto.randomUUID();
  const first = await clickChange(clients, subscriber, { seats: 9 }, key);

  const again = await clickChange(clients, subscriber, { seats: 9 }, key);
  assert.deepEqual([again.status, again.body], [202, first.body]);

  for (const seats of [8, 3]) {
    const details = assertRefused(
      await clickChange(clients, subscriber, { seats }),
      409,
      "change_in_progress",
    );
    assert.equal(details["paymentUrl"], first.body.paymentUrl);
  }
  assert.equal((await laterInvoices(clients, subscriber)).length, 1);
});

Deno.test("seats that are awaited can't be taken", async () => {
  const { subscriber } = await awaiting(CARDS["asks for 3-D Secure"]);
  await addMembers(clients, subscriber, 4);
  const { data } = await admin.rpc("check_organization_capacity", {
    p_organization_id: subscriber.id,
  }).throwOnError();
  assert.deepEqual([data[0]?.can_add, data[0]?.remaining_seats], [false, 0]);
});

Deno.test("an upgrade whose payment is awaited keeps plan and seats until it is paid", async () => {
  const subscriber = await createSubscriber(clients, { seats: 20 });
  await replaceCard(clients, subscriber, CARDS["asks for 3-D Secure"]);
  const { status } = await clickChange(clients, subscriber, { seats: 21, plan: "max" });
  assert.equal(status, 202);
  assert.deepEqual(await seatsOf(clients, subscriber), { plan: "pro", purchased: 20, renewal: 20 });

  const [invoice] = await laterInvoices(clients, subscriber);
  await stripeControl.payHostedInvoice(invoice?.id ?? "");
  await settled(clients, subscriber.subscriptionId);
  assert.deepEqual(await seatsOf(clients, subscriber), { plan: "max", purchased: 21, renewal: 21 });
});

Deno.test("an overdue renewal must be paid before more is bought", async () => {
  const subscriber = await createSubscriber(clients);
  await stripeControl.endPeriod(subscriber.subscriptionId, "declined");
  await settled(clients, subscriber.subscriptionId);

  const answer = await clickChange(clients, subscriber, { seats: 9 });
  assertRefused(answer, 409, "payment_overdue");

  const { subscription } = await subscriptionOf(clients, subscriber);
  const { latest_invoice: invoice } = subscription;
  assert(invoice !== null && typeof invoice === "object");
  await stripeControl.payInvoice(invoice.id);
  await settled(clients, subscriber.subscriptionId);
  assert.equal((await clickChange(clients, subscriber, { seats: 9 })).status, 200);
});
