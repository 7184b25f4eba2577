import assert from "node:assert/strict";
import { stackEnv } from "../../stack.ts";
import { assertRefused } from "../api.ts";
import { buySeats } from "../checkout.ts";
import { connect } from "../clients.ts";
import { settled } from "../organizations.ts";
import { syncUntilAgreed } from "../sync-seats/sync.ts";
import { advanceTo, periodOf } from "./clock.ts";
import {
  afterwards,
  assertSeen,
  bookOf,
  createTeamAt,
  DELIVERIES,
  type Team,
  tryToInvite,
} from "./life.ts";
import { callSeats, change, clickChange, laterInvoices, preview, seatsOf } from "./seats.ts";

const clients = connect(stackEnv());
const { stripeControl } = clients;

const DAY = 24 * 60 * 60;

function now(): number {
  return Math.floor(Date.now() / 1000);
}

/** Opens the customer portal, as the admin does; resolves to the session's id. */
async function openPortal(team: Team): Promise<string> {
  const { status, body } = await callSeats<{ url: string }>(clients, team, "POST", "/portal", {
    body: {},
  });
  assert.equal(status, 200, JSON.stringify(body));
  assert.equal((await fetch(body.url)).status, 200);
  return body.url.slice(body.url.lastIndexOf("/") + 1);
}

async function cancel(team: Team): Promise<void> {
  const page = await stripeControl.cancelInPortal(await openPortal(team), team.subscriptionId);
  assert.doesNotMatch(page, /problem/);
}

async function reactivate(team: Team): Promise<void> {
  const page = await stripeControl.reactivateInPortal(await openPortal(team), team.subscriptionId);
  assert.doesNotMatch(page, /problem/);
}

for (const delivery of DELIVERIES) {
  Deno.test(`who cancels in the portal keeps the seats until the period ends, and may think again (webhooks ${delivery})`, async () => {
    const team = await createTeamAt(clients, now() - 10 * DAY);

    await afterwards(clients, team, delivery, () => cancel(team));

    const paid = { status: "active", purchasedSeats: 5, renewalSeats: 5, overCapacity: false };
    await assertSeen(clients, team, { ...paid, cancelAtPeriodEnd: true, nextInvoice: null });
    assert.equal(await tryToInvite(clients, team), "invited");

    await afterwards(clients, team, delivery, () => reactivate(team));

    const { nextInvoice } = await assertSeen(clients, team, { ...paid, cancelAtPeriodEnd: false });
    assert.equal(nextInvoice?.amount, 2900 + 2 * 900);
    const { end } = await periodOf(clients, team);
    await afterwards(clients, team, delivery, () => advanceTo(clients, team, end + 1));
    await assertSeen(clients, team, paid);
  });

  Deno.test(`who has cancelled is left without seats when the period ends, and may buy anew (webhooks ${delivery})`, async () => {
    const team = await createTeamAt(clients, now() - 31 * DAY);
    await cancel(team);
    await settled(clients, team.customerId);
    await assertSeen(clients, team, { status: "active", cancelAtPeriodEnd: true });

    await afterwards(clients, team, delivery, () => advanceTo(clients, team, now()));

    const ended = {
      status: "canceled",
      purchasedSeats: 0,
      renewalSeats: 0,
      membersCount: 3,
      overCapacity: true,
      availableSeats: -3,
      nextInvoice: null,
    };
    await assertSeen(clients, team, ended);
    assert.equal(await tryToInvite(clients, team), "seats_full");
    assert.equal((await preview(clients, team, { seats: 6 })).code, "no_subscription");
    assertRefused(await clickChange(clients, team, { seats: 6 }), 409, "no_subscription");
    await stripeControl.replay({ contains: team.subscriptionId, times: 2, order: "shuffled" });
    await assertSeen(clients, team, ended);

    const again = { ...team, ...await buySeats(clients, team, { seats: 7 }) };
    const anew = { status: "active", purchasedSeats: 7, overCapacity: false, availableSeats: 4 };
    await assertSeen(clients, team, { ...anew, cancelAtPeriodEnd: false });
    await stripeControl.replay({ contains: team.subscriptionId, times: 2, order: "shuffled" });
    await assertSeen(clients, team, { ...anew, cancelAtPeriodEnd: false });
    assert.deepEqual(await syncUntilAgreed(clients, team), []);
    assert.equal(await tryToInvite(clients, team), "invited");
    await change(clients, again, { seats: 9 });
    await assertSeen(clients, team, { purchasedSeats: 9 });
    assert.deepEqual((await bookOf(clients, team)).map(({ balance }) => balance), [0, 5, 0, 7, 9]);
  });
}

for (
  const [what, wish, seats] of [
    ["more seats", { seats: 9 }, { purchased: 9, renewal: 9 }],
    ["fewer seats", { seats: 4 }, { purchased: 5, renewal: 4 }],
  ] as const
) {
  Deno.test(`who has cancelled is shown what ${what} cost, and that no invoice follows`, async () => {
    const team = await createTeamAt(clients, now());
    await cancel(team);
    await settled(clients, team.customerId);

    const shown = await preview(clients, team, wish);
    const { prorationDate } = shown;
    assert.equal(shown.nextInvoice, null);
    await change(clients, team, prorationDate === null ? wish : { ...wish, prorationDate });

    const charged = (await laterInvoices(clients, team)).map((invoice) => invoice.amount_paid);
    assert.deepEqual(charged, shown.outcome === "now" ? [shown.dueToday] : []);
    assert.deepEqual(await seatsOf(clients, team), { plan: "pro", ...seats });
    await assertSeen(clients, team, { cancelAtPeriodEnd: true, nextInvoice: null });
  });
}

Deno.test("events of a subscription that is over, and come only when another is bought, change nothing", async () => {
  const team = await createTeamAt(clients, now() - 31 * DAY);
  const contains = team.subscriptionId;
  await cancel(team);
  await settled(clients, contains);
  const held = await stripeControl.addPolicy({ contains, kind: "hold", times: 0 });
  await advanceTo(clients, team, now());
  await stripeControl.removePolicy(held);
  await syncUntilAgreed(clients, team);
  await buySeats(clients, team, { seats: 7 });

  const late = await stripeControl.release({ contains, order: "lifo" });

  assert(late.length > 0);
  await settled(clients, contains);
  await assertSeen(clients, team, { status: "active", purchasedSeats: 7, overCapacity: false });
  assert.deepEqual(await syncUntilAgreed(clients, team), []);
});
