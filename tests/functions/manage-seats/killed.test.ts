import assert from "node:assert/strict";
import { stackEnv } from "../../stack.ts";
import { connect } from "../clients.ts";
import { atEach, type Point, pointsOf, type Run, watch } from "../killing.ts";
import { settled } from "../organizations.ts";
import { addFault, HOLDUP_MS } from "../requests.ts";
import { withFunction } from "../served_function.ts";
import { type Agreement, assertAgreement, loseWebhooks, sweep } from "./agreement.ts";
import { type Judge, withProxy } from "./proxy.ts";
import { nameOf, ROUTES } from "./routes.ts";
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

/** The request with which Stripe makes the change. */
const UPDATE = "POST sub";

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

/** Routes that write nothing of ours: there is nothing to be left half done. */
const HARMLESS = ["POST /preview", "POST /portal"];

Deno.test("every route that writes is killed below", () => {
  const killed: string[] = DEEDS.map(({ wish }) =>
    wish === undefined ? "DELETE /scheduled-change" : "POST /change"
  );
  const others = ROUTES.filter(({ method }) => method !== "GET").map(nameOf)
    .filter((name) => !killed.includes(name));
  assert.deepEqual(others, HARMLESS);
});

/** What the process is told. */
function deedOf({ wish }: Deed, subscriber: Subscriber): Run {
  return {
    name: "manage-seats",
    call: (base) =>
      wish === undefined
        ? callSeats(clients, subscriber, "DELETE", "/scheduled-change", {}, base)
        : clickChange(clients, subscriber, wish, "killed", base),
  };
}

async function prepared({ prepare }: Deed): Promise<Subscriber> {
  const subscriber = await createSubscriber(clients);
  await prepare?.(subscriber);
  await loseWebhooks(clients, subscriber);
  return subscriber;
}

/** The requests of a deed that nobody disturbs. */
async function requestsOf(deed: Deed): Promise<readonly string[]> {
  const subscriber = await prepared(deed);
  const requests = await watch(clients, deedOf(deed, subscriber));
  await assertAgreement(clients, subscriber, deed.after);
  assert.deepEqual(await sweep(clients, subscriber), []);
  return requests;
}

/** Asserts that after a kill one sweep brings agreement, and leaves nothing for a second one. */
async function assertHeals(
  deed: Deed,
  requests: readonly string[],
  point: Point,
): Promise<void> {
  const subscriber = await prepared(deed);
  await watch(clients, deedOf(deed, subscriber), point);
  const past = requests.indexOf(String(point.request)) - requests.indexOf(UPDATE);
  const isMade = past > 0 || past === 0 && point.verdict === "hold_answer";

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
    const requests = await requestsOf(deed);
    assert(requests.includes(UPDATE) && requests.length >= 4, requests.join());
    await atEach(pointsOf(requests), (point) => assertHeals(deed, requests, point));
  });
}

/** Asserts that after a kill the same click again does what was wished, once, and leaves nothing. */
async function assertGoesOn(deed: Deed, point: Point): Promise<void> {
  const subscriber = await prepared(deed);
  await watch(clients, deedOf(deed, subscriber), point);

  const { status, body } = await clickChange(clients, subscriber, deed.wish ?? {}, "killed");

  assert.equal(status, 200, JSON.stringify(body));
  await assertAgreement(clients, subscriber, deed.after);
  assert.equal((await changesOf(clients, subscriber)).length, 1);
  assert.deepEqual(await sweep(clients, subscriber), []);
}

for (const deed of DEEDS.slice(0, 2)) {
  Deno.test(`killed at any request, ${deed.what}, and clicked again: done once`, async () => {
    const requests = await requestsOf(deed);
    await atEach(pointsOf(requests), (point) => assertGoesOn(deed, point));
  });

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
