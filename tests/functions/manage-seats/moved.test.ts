import assert from "node:assert/strict";
import { stackEnv } from "../../stack.ts";
import { type Answer, assertRefused } from "../api.ts";
import { connect } from "../clients.ts";
import { assertAgreement, loseWebhooks, sweep } from "./agreement.ts";
import {
  callSeats,
  change,
  changesOf,
  clickChange,
  createSubscriber,
  type Subscriber,
} from "./seats.ts";

const clients = connect(stackEnv());
const { stripe, stripeControl } = clients;

/** Something that happens at Stripe, of which nobody hears, and a free change after it. */
interface Case {
  readonly what: string;
  /** What was scheduled before; nothing unless given. */
  readonly scheduled?: number;
  readonly unheard: (subscriber: Subscriber) => Promise<unknown>;
  readonly click: (subscriber: Subscriber) => Promise<Answer>;
  /** The seats that are paid for in truth, and how often Stripe has charged or credited since. */
  readonly paid: number;
}

const renew = ({ subscriptionId }: Subscriber) => stripeControl.endPeriod(subscriptionId);
const set = (quantity: number) => ({ subscriptionId, itemId: id }: Subscriber) =>
  stripe.subscriptions.update(subscriptionId, {
    items: [{ id, quantity }],
    proration_behavior: "always_invoice",
  });
const click = (seats: number) => (subscriber: Subscriber) =>
  clickChange(clients, subscriber, { seats });
const undo = (subscriber: Subscriber) =>
  callSeats(clients, subscriber, "DELETE", "/scheduled-change");

const CASES: readonly Case[] = [
  {
    what: "fewer seats once the next period is paid do not take what it has paid for",
    unheard: renew,
    click: click(3),
    paid: 5,
  },
  {
    what: "a decrease that has come into force cannot be taken back for nothing",
    scheduled: 3,
    unheard: renew,
    click: undo,
    paid: 3,
  },
  {
    what: "a part of a decrease that has come into force cannot be taken back for nothing",
    scheduled: 3,
    unheard: renew,
    click: click(4),
    paid: 3,
  },
  {
    what: "seats that somebody has given up at Stripe cannot be taken back for nothing",
    unheard: set(2),
    click: click(4),
    paid: 2,
  },
  {
    what: "seats that somebody has given up at Stripe are not kept by giving up the same ones",
    unheard: set(3),
    click: click(3),
    paid: 3,
  },
];

for (const { what, scheduled, unheard, click, paid } of CASES) {
  Deno.test(`unheard of: ${what}`, async () => {
    const subscriber = await createSubscriber(clients);
    if (scheduled !== undefined) await change(clients, subscriber, { seats: scheduled });
    await loseWebhooks(clients, subscriber);
    await unheard(subscriber);

    assertRefused(await click(subscriber), 409, "subscription_moved");

    await assertAgreement(clients, subscriber, { purchased: paid, renewal: paid, invoices: 1 });
    assert.deepEqual(await sweep(clients, subscriber), []);
    const states = (await changesOf(clients, subscriber)).map(({ state }) => state);
    assert.equal(states.at(-1), "failed");
  });
}

Deno.test("after a change was refused since the subscription has moved, the next one is made", async () => {
  const subscriber = await createSubscriber(clients);
  await loseWebhooks(clients, subscriber);
  await renew(subscriber);
  assertRefused(
    await clickChange(clients, subscriber, { seats: 3 }),
    409,
    "subscription_moved",
  );

  const { status } = await clickChange(clients, subscriber, { seats: 3 });

  assert.equal(status, 200);
  await assertAgreement(clients, subscriber, { purchased: 5, renewal: 3, invoices: 1 });
});
