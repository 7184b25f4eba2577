import assert from "node:assert/strict";
import { stackEnv } from "../../stack.ts";
import { connect } from "../clients.ts";
import { settled } from "../organizations.ts";
import { addFault, HOLDUP_MS } from "../requests.ts";
import { withFunction } from "../served_function.ts";
import { type Agreement, assertAgreement, loseWebhooks, sweep } from "./agreement.ts";
import { type Judge, withProxy } from "./proxy.ts";
import {
  callSeats,
  change,
  changesOf,
  clickChange,
  createSubscriber,
  laterInvoices,
  replaceCard,
  type Subscriber,
  subscriptionOf,
  type Wish,
} from "./seats.ts";

const clients = connect(stackEnv());
const { env, stripeControl } = clients;

/** How many processes are started, and killed, at the same time. */
const AT_ONCE = 3;

/** What the process is at when it is killed. */
interface Deed {
  readonly what: string;
  /** What the organization has done before. */
  readonly prepare?: (subscriber: Subscriber) => Promise<unknown>;
  /** The change; without one, a scheduled decrease is taken back. */
  readonly wish?: Wish;
  /** What stands when Stripe has never heard of it, and what when it has. */
  readonly before: Agreement;
  readonly after: Agreement;
}

const BOUGHT = { purchased: 5, renewal: 5, invoices: 0 };

const DEEDS: readonly Deed[] = [
  {
    what: "more seats",
    wish: { seats: 9 },
    before: BOUGHT,
    after: { purchased: 9, renewal: 9, invoices: 1 },
  },
  {
    what: "fewer seats",
    wish: { seats: 3 },
    before: BOUGHT,
    after: { purchased: 5, renewal: 3, invoices: 0 },
  },
  {
    what: "a higher plan",
    wish: { seats: 21, plan: "max" },
    before: BOUGHT,
    after: { plan: "max", purchased: 21, renewal: 21, invoices: 1 },
  },
  {
    what: "another billing period with fewer seats",
    wish: { seats: 4, billingPeriod: "yearly" },
    before: BOUGHT,
    after: { purchased: 4, renewal: 4, invoices: 1, lookupKey: "seatkeeper_pro_yearly" },
  },
  {
    what: "a decrease that is taken back",
    prepare: (subscriber) => change(clients, subscriber, { seats: 3 }),
    before: { ...BOUGHT, renewal: 3 },
    after: BOUGHT,
  },
  {
    what: "more seats that a card does not pay",
    prepare: (subscriber) => replaceCard(clients, subscriber, "pm_card_chargeCustomerFail"),
    wish: { seats: 9 },
    before: BOUGHT,
    after: { ...BOUGHT, invoices: 1 },
  },
];

/** Where a process is killed: before a request of its is worked on, or after. */
interface Point {
  readonly call: number;
  readonly verdict: "hold" | "hold_answer";
}

/**
 * Does a deed in a process of its own, which is killed at a point if one is given. Resolves to the
 * requests that the process has sent.
 */
async function run(deed: Deed, subscriber: Subscriber, point?: Point): Promise<string[]> {
  const calls: string[] = [];
  const judge: Judge = (name, method) => {
    calls.push(`${method} ${name.startsWith("sub_") ? "subscription" : name}`);
    return calls.length - 1 === point?.call ? point.verdict : "pass";
  };
  const call = (base: string) =>
    deed.wish === undefined
      ? callSeats(clients, subscriber, "DELETE", "/scheduled-change", {}, base)
      : clickChange(clients, subscriber, deed.wish, "killed", base);
  await withProxy(
    env.SUPABASE_URL,
    judge,
    (database) =>
      withProxy(env.STRIPE_API_BASE, judge, (stripe) =>
        withFunction(
          clients,
          "manage-seats",
          { SUPABASE_URL: database.url, STRIPE_API_BASE: stripe.url },
          async ({ base, kill }) => {
            const answer = call(base);
            if (point === undefined) {
              assert((await answer).status < 300);
            } else {
              const broken = assert.rejects(answer);
              await Promise.race([database.holding, stripe.holding]);
              await kill();
              await broken;
            }
          },
        )),
  );
  return calls;
}

async function prepared({ prepare }: Deed): Promise<Subscriber> {
  const subscriber = await createSubscriber(clients);
  await prepare?.(subscriber);
  await loseWebhooks(clients, subscriber);
  return subscriber;
}

/** The requests of a deed that nobody disturbs. */
async function requestsOf(deed: Deed): Promise<string[]> {
  const subscriber = await prepared(deed);
  const calls = await run(deed, subscriber);
  await assertAgreement(clients, subscriber, deed.after);
  assert.deepEqual(await sweep(clients, subscriber), []);
  return calls;
}

/** Asserts that after a kill one sweep brings agreement, and leaves nothing for a second one. */
async function assertHeals(deed: Deed, calls: readonly string[], point: Point): Promise<void> {
  const subscriber = await prepared(deed);
  await run(deed, subscriber, point);
  const update = calls.indexOf("POST subscription");
  const isMade = point.call > update || point.call === update && point.verdict === "hold_answer";

  await sweep(clients, subscriber);

  await assertAgreement(clients, subscriber, isMade ? deed.after : deed.before);
  const changes = await changesOf(clients, subscriber);
  for (const { state } of changes) {
    const ended = ["completed", "scheduled", "failed", "superseded", "awaiting_payment"];
    assert(ended.includes(state), state);
  }
  assert.deepEqual(await sweep(clients, subscriber), []);
  // The same call again goes on with the same change, or makes it anew: once in any case.
  if (deed.wish !== undefined && (isMade || changes.length === 0)) {
    const { status } = await clickChange(clients, subscriber, deed.wish, "killed");
    assert(status < 300);
    await assertAgreement(clients, subscriber, deed.after);
  }
}

for (const deed of DEEDS) {
  Deno.test(`killed at any request, ${deed.what}: agrees after one sweep, charged once or not at all`, async () => {
    const calls = await requestsOf(deed);
    assert(calls.includes("POST subscription") && calls.length >= 4, calls.join());
    const points = calls.flatMap((_, call): Point[] => [
      { call, verdict: "hold" },
      { call, verdict: "hold_answer" },
    ]);
    for (let index = 0; index < points.length; index += AT_ONCE) {
      await Promise.all(
        points.slice(index, index + AT_ONCE).map((point) =>
          assertHeals(deed, calls, point).catch((cause: unknown) => {
            throw new Error(`${point.verdict} at ${calls[point.call]}`, { cause });
          })
        ),
      );
    }
  });
}

for (const deed of DEEDS.slice(0, 2)) {
  Deno.test(`killed while Stripe is at work, ${deed.what}: agrees after one sweep`, async () => {
    const subscriber = await prepared(deed);
    const slow = await addFault(stripeControl, {
      kind: "delay",
      delayMs: HOLDUP_MS,
      match: { method: "POST", path: `^/v1/subscriptions/${subscriber.subscriptionId}$` },
    });
    await withFunction(clients, "manage-seats", {}, async ({ base, kill }) => {
      const click = assert.rejects(
        clickChange(clients, subscriber, deed.wish ?? {}, "killed", base),
      );
      await slow.struck(1);
      await kill();
      await click;
    });
    // Stripe goes on without anybody who listens.
    await slow.remove();
    while ((await subscriptionOf(clients, subscriber)).quantity !== deed.after.renewal);

    assert((await sweep(clients, subscriber)).includes("seat_change"));

    await assertAgreement(clients, subscriber, deed.after);
    assert.deepEqual(await sweep(clients, subscriber), []);
  });
}

Deno.test("a payment that is awaited when the process is killed is granted once it is paid", async () => {
  const subscriber = await createSubscriber(clients);
  await replaceCard(clients, subscriber, "pm_card_chargeCustomerFail");
  const judge: Judge = (name) => name === "settle_seat_change" ? "hold" : "pass";
  await withProxy(
    env.SUPABASE_URL,
    judge,
    ({ url, holding }) =>
      withFunction(clients, "manage-seats", { SUPABASE_URL: url }, async ({ base, kill }) => {
        const click = assert.rejects(
          clickChange(clients, subscriber, { seats: 9 }, "killed", base),
        );
        await holding;
        await kill();
        await click;
      }),
  );
  await settled(clients, subscriber.subscriptionId);

  // The same key again finds the page to pay on, which no event names.
  const { status, body } = await clickChange(clients, subscriber, { seats: 9 }, "killed");
  assert.deepEqual([status, body.state], [202, "awaiting_payment"]);
  const [invoice] = await laterInvoices(clients, subscriber);
  assert.equal(body.paymentUrl, invoice?.hosted_invoice_url);

  await stripeControl.payHostedInvoice(invoice?.id ?? "");
  await settled(clients, subscriber.subscriptionId);
  await assertAgreement(clients, subscriber, { purchased: 9, renewal: 9, invoices: 1 });
});
