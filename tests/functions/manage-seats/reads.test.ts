import assert from "node:assert/strict";
import { stackEnv } from "../../stack.ts";
import { assertRefused } from "../api.ts";
import { connect } from "../clients.ts";
import { addInvitations, addMembers, createOrganization, settled } from "../organizations.ts";
import { addFault, countRequests } from "../requests.ts";
import {
  callSeats,
  change,
  changesOf,
  createSubscriber,
  preview,
  type Subscriber,
  subscriptionOf,
} from "./seats.ts";

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

interface Page<Row> {
  readonly data: readonly Row[];
  readonly nextCursor: number | null;
}

interface Summary {
  readonly seats: Page<Seat>;
  readonly nextInvoice: unknown;
  readonly change: unknown;
}

async function summaryOf(
  caller: { readonly id: string; readonly token: string },
  query = "",
): Promise<Summary> {
  const { status, body } = await callSeats<Summary>(clients, caller, "GET", query);
  assert.equal(status, 200, JSON.stringify(body));
  return body;
}

/** When the current period of a subscription ends, ISO. */
async function periodEnd(subscriber: Subscriber): Promise<string> {
  const { subscription } = await subscriptionOf(clients, subscriber);
  return new Date((subscription.items.data[0]?.current_period_end ?? 0) * 1000).toISOString();
}

Deno.test("the summary says how an organization stands", async () => {
  const subscriber = await createSubscriber(clients);
  await addMembers(clients, subscriber, 2);
  await addInvitations(clients, subscriber, 1);

  const { seats, ...summary } = await summaryOf(subscriber);

  const end = await periodEnd(subscriber);
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
    const page: Page<Seat> = (await summaryOf(subscriber, `?limit=3&cursor=${cursor}`)).seats;
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

  const summary = await summaryOf(organization) as unknown as Record<string, unknown>;

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
  const { nextInvoice, seats } = await summaryOf(subscriber);
  assert.equal(nextInvoice, null);
  assert.equal(seats.data.length, 1);
});

Deno.test("the summary shows a scheduled decrease, its invoice, and an end that is set", async () => {
  const subscriber = await createSubscriber(clients);
  const scheduled = await change(clients, subscriber, { seats: 3 });
  const summary = await summaryOf(subscriber);
  assert.deepEqual(summary.change, scheduled);
  assert.equal((summary.nextInvoice as { amount: number }).amount, 2900);

  await stripe.subscriptions.update(subscriber.subscriptionId, { cancel_at_period_end: true });
  await settled(clients, subscriber.subscriptionId);
  const ending = await summaryOf(subscriber) as unknown as Record<string, unknown>;
  assert.deepEqual([ending["cancelAtPeriodEnd"], ending["nextInvoice"]], [true, null]);
});

Deno.test("the account book is paged, newest first, and knows who did what", async () => {
  const subscriber = await createSubscriber(clients);
  await change(clients, subscriber, { seats: 9 });
  interface Row {
    readonly id: number;
    readonly kind: string;
    readonly actor: string;
    readonly cause: string;
    readonly before: Readonly<Record<string, unknown>> | null;
    readonly after: Readonly<Record<string, unknown>> | null;
    readonly purchasedSeats: number;
    readonly seatsUsed: number;
    readonly createdAt: string;
  }
  const rows: Row[] = [];
  for (let query = "?limit=2";;) {
    const { status, body } = await callSeats<Page<Row>>(
      clients,
      subscriber,
      "GET",
      `/changes${query}`,
    );
    assert.equal(status, 200);
    rows.push(...body.data);
    if (body.nextCursor === null) break;
    assert.equal(body.data.length, 2);
    query = `?limit=2&cursor=${body.nextCursor}`;
  }
  const ids = rows.map(({ id }) => id);
  assert.deepEqual(ids, [...new Set(ids)].toSorted((a, b) => b - a));
  assert.deepEqual(
    rows.length,
    (await clients.sql`
      select from public.billing_changes where organization_id = ${subscriber.id}`).length,
  );
  const bought = rows.find(({ after }) => after?.["purchased_seats"] === 9);
  assert.deepEqual([bought?.kind, bought?.before?.["purchased_seats"]], ["subscription", 5]);
  assert([subscriber.adminId, "stripe"].includes(bought?.actor ?? ""));
  assert.deepEqual([bought?.purchasedSeats, bought?.seatsUsed], [9, 1]);
  assert(!JSON.stringify(rows).includes(subscriber.customerId));
});

Deno.test("a preview shows the cost before and after, and changes nothing", async () => {
  const subscriber = await createSubscriber(clients);

  const shown = await preview(clients, subscriber, { seats: 9 });

  const price = {
    plan: "pro",
    billingPeriod: "monthly",
    currency: "usd",
    baseAmount: 2900,
    seatAmount: 900,
    includedSeats: 3,
  };
  assert.deepEqual(shown.before, {
    ...price,
    seats: 5,
    extraSeats: 2,
    extraAmount: 1800,
    total: 4700,
  });
  assert.deepEqual(shown.after, {
    ...price,
    seats: 9,
    extraSeats: 6,
    extraAmount: 5400,
    total: 8300,
  });
  assert.equal(shown.outcome, "now");
  assert(shown.dueToday > 0 && shown.dueToday <= 3600);
  assert.deepEqual(shown.nextInvoice, { date: await periodEnd(subscriber), amount: 8300 });
  assert.match(shown.prorationDate ?? "", /^\d{4}-\d\d-\d\dT/);
  assert.deepEqual(await changesOf(clients, subscriber), []);
  assert.equal((await subscriptionOf(clients, subscriber)).quantity, 5);
});

Deno.test("a preview of fewer seats is free today, and says from when it counts", async () => {
  const subscriber = await createSubscriber(clients);

  const shown = await preview(clients, subscriber, { seats: 3 });

  const end = await periodEnd(subscriber);
  assert.deepEqual(
    [shown.outcome, shown.dueToday, shown.prorationDate, Date.parse(shown.effectiveAt)],
    ["renewal", 0, null, Date.parse(end)],
  );
  assert.deepEqual(shown.nextInvoice, { date: end, amount: 2900 });
});

Deno.test("a preview of a change that would be refused says so", async () => {
  const subscriber = await createSubscriber(clients);
  const { outcome, code, details } = await preview(clients, subscriber, { seats: 21 });
  assert.deepEqual([outcome, code], ["refused", "seats_out_of_bounds"]);
  assert.deepEqual(details, {
    plan: "pro",
    seats: 21,
    minSeats: 1,
    maxSeats: 20,
    fittingPlan: "max",
  });
});

Deno.test("the portal opens for whoever has bought, with quantities switched off", async () => {
  const subscriber = await createSubscriber(clients);
  const returnUrl = `${clients.env.SITE_URL}/seats`;

  const { status, body } = await callSeats<{ url: string }>(
    clients,
    subscriber,
    "POST",
    "/portal",
    { body: { returnUrl } },
  );

  assert.equal(status, 200, JSON.stringify(body));
  const page = await fetch(body.url);
  assert.equal(page.status, 200);
  assert((await page.text()).includes(returnUrl));
  const { data } = await stripe.billingPortal.configurations.list({ active: true, limit: 100 });
  const ours = data.filter(({ metadata }) => metadata?.["seatkeeper"] === "portal");
  assert.equal(ours.length, 1);
  assert.equal(ours[0]?.features.subscription_update.enabled, false);
  assert.equal(ours[0]?.features.subscription_cancel.mode, "at_period_end");
});

Deno.test("cancelling and reactivating in the portal are followed", async () => {
  const subscriber = await createSubscriber(clients);
  const { body } = await callSeats<{ url: string }>(clients, subscriber, "POST", "/portal", {
    body: {},
  });
  const session = new URL(body.url).pathname.split("/").at(-1) ?? "";
  const ending = async () =>
    (await summaryOf(subscriber) as unknown as { cancelAtPeriodEnd: boolean }).cancelAtPeriodEnd;

  await stripeControl.cancelInPortal(session, subscriber.subscriptionId);
  await settled(clients, subscriber.subscriptionId);
  assert.equal(await ending(), true);

  await stripeControl.reactivateInPortal(session, subscriber.subscriptionId);
  await settled(clients, subscriber.subscriptionId);
  assert.equal(await ending(), false);
});

Deno.test("the portal returns to allowed origins only, and needs a customer", async () => {
  const subscriber = await createSubscriber(clients);
  const open = (caller: { id: string; token: string }, body: unknown) =>
    callSeats(clients, caller, "POST", "/portal", { body });
  assertRefused(
    await open(subscriber, { returnUrl: "https://evil.example/" }),
    400,
    "return_url_not_allowed",
  );
  assertRefused(await open(subscriber, { returnUrl: 1 }), 400, "invalid_request");
  assertRefused(await open(await createOrganization(clients), {}), 409, "no_customer");
});
