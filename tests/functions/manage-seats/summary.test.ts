import assert from "node:assert/strict";
import { stackEnv } from "../../stack.ts";
import { connect } from "../clients.ts";
import { addInvitations, addMembers, createOrganization, settled } from "../organizations.ts";
import { addFault, countRequests } from "../requests.ts";
import { change, createSubscriber, type Page, periodEnd, summaryOf } from "./seats.ts";

const clients = connect(stackEnv());
const { stripe, stripeControl } = clients;

interface Seat {
  readonly id: string;
  readonly takenBy: string;
  readonly clerkUserId: string | null;
  readonly email: string;
  readonly role: string;
  readonly since: string;
}

interface Summary {
  readonly seats: Page<Seat>;
  readonly nextInvoice: unknown;
  readonly change: unknown;
}

Deno.test("the summary says how an organization stands", async () => {
  const subscriber = await createSubscriber(clients);
  await addMembers(clients, subscriber, 2);
  await addInvitations(clients, subscriber, 1);

  const { seats, ...summary } = await summaryOf<Summary>(clients, subscriber);

  const end = await periodEnd(clients, subscriber);
  const { currentPeriodEnd, ...rest } = summary as unknown as Record<string, unknown>;
  assert.equal(Date.parse(String(currentPeriodEnd)), Date.parse(end));
  assert.deepEqual(rest, {
    organizationId: subscriber.id,
    status: "active",
    plan: "pro",
    billingPeriod: "monthly",
    purchasedSeats: 5,
    renewalSeats: 5,
    includedSeats: 3,
    grantedSeats: 0,
    membersCount: 3,
    pendingInvitationsCount: 1,
    overCapacity: false,
    cancelAtPeriodEnd: false,
    graceUntil: null,
    change: null,
    seatsUsed: 4,
    availableSeats: 1,
    percentage: 80,
    band: "amber",
    nearCapacity: true,
    atCapacity: false,
    nextInvoice: { date: end, amount: 4700, currency: "usd" },
  });
  assert.equal(seats.data.length, 4);
  assert.deepEqual(seats.data.map(({ takenBy }) => takenBy).sort(), [
    "invitation",
    "member",
    "member",
    "member",
  ]);
  assert.equal(seats.nextCursor, null);
});

Deno.test("the summary pages through who has the seats, each once, the oldest first", async () => {
  const subscriber = await createSubscriber(clients, { seats: 8 });
  await addMembers(clients, subscriber, 5);
  await addInvitations(clients, subscriber, 1);
  const seats: Seat[] = [];
  let pages = 0;
  for (let cursor: number | null = 0; cursor !== null; pages++) {
    const page: Page<Seat> =
      (await summaryOf<Summary>(clients, subscriber, `?limit=3&cursor=${cursor}`)).seats;
    assert(page.data.length <= 3);
    seats.push(...page.data);
    cursor = page.nextCursor;
  }
  assert.equal(pages, 3);
  assert.equal(seats.length, 7);
  assert.equal(new Set(seats.map(({ id }) => id)).size, 7);
  const since = seats.map((seat) => Date.parse(seat.since));
  assert.deepEqual(since, since.toSorted((a, b) => a - b));
});

Deno.test("the summary of an organization that has bought nothing needs no Stripe", async () => {
  const organization = await createOrganization(clients);
  const requests = await countRequests(stripeControl, { contains: organization.id });

  const summary = await summaryOf<Summary>(clients, organization) as unknown as Record<
    string,
    unknown
  >;

  assert.deepEqual(
    [summary["status"], summary["plan"], summary["purchasedSeats"], summary["nextInvoice"]],
    ["none", null, 0, null],
  );
  assert.deepEqual([summary["atCapacity"], summary["overCapacity"]], [true, true]);
  assert.equal(await requests.hits(), 0);
});

Deno.test("while Stripe is away the summary leaves out the next invoice", async () => {
  const subscriber = await createSubscriber(clients);
  await addFault(stripeControl, {
    match: { path: "create_preview", contains: subscriber.subscriptionId },
    kind: "fail",
    status: 503,
    times: 0,
  });
  const { nextInvoice, seats } = await summaryOf<Summary>(clients, subscriber);
  assert.equal(nextInvoice, null);
  assert.equal(seats.data.length, 1);
});

Deno.test("the summary shows a scheduled decrease, its invoice, and an end that is set", async () => {
  const subscriber = await createSubscriber(clients);
  const scheduled = await change(clients, subscriber, { seats: 3 });
  const summary = await summaryOf<Summary>(clients, subscriber);
  assert.deepEqual(summary.change, scheduled);
  assert.equal((summary.nextInvoice as { amount: number }).amount, 2900);

  await stripe.subscriptions.update(subscriber.subscriptionId, { cancel_at_period_end: true });
  await settled(clients, subscriber.subscriptionId);
  const ending = await summaryOf<Record<string, unknown>>(clients, subscriber);
  assert.deepEqual([ending["cancelAtPeriodEnd"], ending["nextInvoice"]], [true, null]);
});
