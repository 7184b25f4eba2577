import assert from "node:assert/strict";
import { stackEnv } from "../../stack.ts";
import { assertRefused } from "../api.ts";
import { buySeats, changeQuantity } from "../checkout.ts";
import { connect } from "../clients.ts";
import { addMembers, settled } from "../organizations.ts";
import { countRequests } from "../requests.ts";
import {
  callSeats,
  type Change,
  change,
  changesOf,
  clickChange,
  createSubscriber,
  laterInvoices,
  seatsOf,
  subscriptionOf,
} from "./seats.ts";

const clients = connect(stackEnv());
const { admin, stripe, stripeControl } = clients;

async function canAdd({ id }: { readonly id: string }): Promise<boolean | undefined> {
  const { data } = await admin.rpc("check_organization_capacity", { p_organization_id: id })
    .throwOnError();
  return data[0]?.can_add;
}

Deno.test("fewer seats cost nothing, keep this period's seats, and follow at renewal", async () => {
  const subscriber = await createSubscriber(clients);
  await addMembers(clients, subscriber, 2);

  const decrease = await change(clients, subscriber, { seats: 3 });

  assert.deepEqual([decrease.kind, decrease.state], ["renewal", "scheduled"]);
  const { subscription, quantity } = await subscriptionOf(clients, subscriber);
  assert.equal(quantity, 3);
  const end = subscription.items.data[0]?.current_period_end;
  assert.equal(Date.parse(decrease.effectiveAt ?? "") / 1000, end);
  assert.deepEqual(await laterInvoices(clients, subscriber), []);
  assert.deepEqual(await seatsOf(clients, subscriber), { plan: "pro", purchased: 5, renewal: 3 });
  assert.equal(await canAdd(subscriber), false);

  await stripeControl.endPeriod(subscriber.subscriptionId);
  await settled(clients, subscriber.subscriptionId);

  assert.deepEqual(await seatsOf(clients, subscriber), { plan: "pro", purchased: 3, renewal: 3 });
  assert.deepEqual((await changesOf(clients, subscriber)).map(({ state }) => state), ["completed"]);
  const [renewal] = await laterInvoices(clients, subscriber);
  assert.equal(renewal?.amount_paid, 2900);
});

Deno.test("a scheduled decrease can be taken back, free of charge", async () => {
  const subscriber = await createSubscriber(clients);
  await change(clients, subscriber, { seats: 3 });
  const undo = () => callSeats<Change>(clients, subscriber, "DELETE", "/scheduled-change");

  const { status, body } = await undo();

  assert.deepEqual([status, body.state, body.seats], [200, "completed", 5]);
  assert.deepEqual(await seatsOf(clients, subscriber), { plan: "pro", purchased: 5, renewal: 5 });
  assert.equal((await subscriptionOf(clients, subscriber)).quantity, 5);
  assert.deepEqual(await laterInvoices(clients, subscriber), []);
  assertRefused(await undo(), 409, "nothing_scheduled");
});

Deno.test("several decreases can be scheduled and taken back one after the other", async () => {
  const subscriber = await createSubscriber(clients);
  for (let round = 0; round < 3; round++) {
    await change(clients, subscriber, { seats: 3 });
    const { status } = await callSeats(clients, subscriber, "DELETE", "/scheduled-change");
    assert.equal(status, 200);
    await settled(clients, subscriber.subscriptionId);
    assert.deepEqual(await seatsOf(clients, subscriber), { plan: "pro", purchased: 5, renewal: 5 });
  }
});

Deno.test("two clicks on undo at once take back once", async () => {
  const subscriber = await createSubscriber(clients);
  await change(clients, subscriber, { seats: 3 });

  const answers = await Promise.all(
    [1, 2, 3].map(() => callSeats<Change>(clients, subscriber, "DELETE", "/scheduled-change")),
  );

  for (const answer of answers) {
    if (answer.status !== 200) assertRefused(answer, 409, "nothing_scheduled");
  }
  assert(answers.some(({ status }) => status === 200));
  assert.deepEqual(await seatsOf(clients, subscriber), { plan: "pro", purchased: 5, renewal: 5 });
});

Deno.test("without a scheduled decrease there is nothing to take back", async () => {
  const subscriber = await createSubscriber(clients);
  const requests = await countRequests(stripeControl, { contains: subscriber.subscriptionId });
  const answer = await callSeats(clients, subscriber, "DELETE", "/scheduled-change");
  assertRefused(answer, 409, "nothing_scheduled");
  assert.equal(await requests.hits(), 0);
});

Deno.test("part of a decrease can be taken back, free of charge", async () => {
  const subscriber = await createSubscriber(clients);
  await change(clients, subscriber, { seats: 2 });

  const back = await change(clients, subscriber, { seats: 4 });

  assert.deepEqual([back.kind, back.state], ["renewal", "scheduled"]);
  assert.deepEqual(await seatsOf(clients, subscriber), { plan: "pro", purchased: 5, renewal: 4 });
  assert.deepEqual(await laterInvoices(clients, subscriber), []);
});

Deno.test("more than is paid waits until the decrease is taken back, as the refusal says", async () => {
  const subscriber = await createSubscriber(clients);
  await change(clients, subscriber, { seats: 3 });

  const answer = await clickChange(clients, subscriber, { seats: 9 });

  assert.deepEqual(assertRefused(answer, 409, "change_scheduled"), {
    renewalSeats: 3,
    undoWith: "DELETE scheduled-change",
  });
});

Deno.test("a lower plan waits for renewal, and can be taken back", async () => {
  const subscriber = await createSubscriber(clients, { plan: "max", seats: 25 });
  const wish = { seats: 10, plan: "pro" };

  const lower = await change(clients, subscriber, wish);
  assert.deepEqual([lower.kind, lower.state], ["renewal", "scheduled"]);
  assert.deepEqual(await seatsOf(clients, subscriber), {
    plan: "max",
    purchased: 25,
    renewal: 10,
  });
  await callSeats(clients, subscriber, "DELETE", "/scheduled-change");
  const { quantity, lookupKey } = await subscriptionOf(clients, subscriber);
  assert.deepEqual([quantity, lookupKey], [25, "seatkeeper_max_monthly"]);

  await change(clients, subscriber, wish);
  await stripeControl.endPeriod(subscriber.subscriptionId);
  await settled(clients, subscriber.subscriptionId);
  assert.deepEqual(await seatsOf(clients, subscriber), { plan: "pro", purchased: 10, renewal: 10 });
  assert.equal((await laterInvoices(clients, subscriber)).at(-1)?.amount_paid, 2900 + 7 * 900);
});

Deno.test("a decrease whose webhooks are lost, reordered and repeated follows at renewal", async () => {
  const subscriber = await createSubscriber(clients);
  const contains = subscriber.subscriptionId;
  const hold = await stripeControl.addPolicy({ contains, kind: "hold", times: 0 });
  const { status } = await clickChange(clients, subscriber, { seats: 3 });
  assert.equal(status, 200);
  await stripeControl.endPeriod(subscriber.subscriptionId);
  await stripeControl.removePolicy(hold);
  assert.deepEqual(await seatsOf(clients, subscriber), { plan: "pro", purchased: 5, renewal: 3 });

  await stripeControl.release({ contains, order: "lifo" });
  await settled(clients, contains);
  await stripeControl.replay({ contains, order: "shuffled" });

  assert.deepEqual(await seatsOf(clients, subscriber), { plan: "pro", purchased: 3, renewal: 3 });
  assert.deepEqual((await changesOf(clients, subscriber)).map(({ state }) => state), ["completed"]);
});

Deno.test("a quantity that is set at Stripe ends a scheduled decrease", async () => {
  const subscriber = await createSubscriber(clients);
  await change(clients, subscriber, { seats: 3 });

  await changeQuantity(clients, subscriber, 4);

  assert.deepEqual(await seatsOf(clients, subscriber), { plan: "pro", purchased: 4, renewal: 4 });
  const answer = await callSeats(clients, subscriber, "DELETE", "/scheduled-change");
  assertRefused(answer, 409, "nothing_scheduled");
});

Deno.test("who has left may buy anew, and late events of the first subscription change nothing", async () => {
  const subscriber = await createSubscriber(clients);
  await change(clients, subscriber, { seats: 3 });
  await stripe.subscriptions.cancel(subscriber.subscriptionId);
  await settled(clients, subscriber.subscriptionId);
  assert.deepEqual(await seatsOf(clients, subscriber), { plan: "pro", purchased: 0, renewal: 0 });
  assertRefused(await clickChange(clients, subscriber, { seats: 4 }), 409, "no_subscription");

  const again = { ...subscriber, ...await buySeats(clients, subscriber, { seats: 7 }) };
  await stripeControl.replay({ contains: subscriber.subscriptionId, order: "shuffled" });
  assert.deepEqual(await seatsOf(clients, again), { plan: "pro", purchased: 7, renewal: 7 });

  await change(clients, again, { seats: 9 });
  assert.deepEqual(await seatsOf(clients, again), { plan: "pro", purchased: 9, renewal: 9 });
});
