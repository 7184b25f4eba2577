import assert from "node:assert/strict";
import { stackEnv } from "../../stack.ts";
import { assertRefused } from "../api.ts";
import { buySeats } from "../checkout.ts";
import { connect } from "../clients.ts";
import { syncUntilAgreed } from "../sync-seats/sync.ts";
import { advanceTo, periodOf } from "./clock.ts";
import {
  afterwards,
  assertSeen,
  bookOf,
  createTeamAt,
  DELIVERIES,
  type Delivery,
  type Team,
  tryToInvite,
} from "./life.ts";
import { change, clickChange, replaceCard, subscriptionOf } from "./seats.ts";

const clients = connect(stackEnv());
const { stripeControl } = clients;

const HOUR = 60 * 60;
const DAY = 24 * HOUR;
/** The setting, as it comes. */
const GRACE = 7 * DAY;
/** The last retry of an invoice, 15 days after its first, has failed. */
const GIVEN_UP = 16 * DAY;
const FUTURE = Date.UTC(2028, 0, 1) / 1000;

/** A moment so many days ago. */
function ago(days: number): number {
  return Math.floor(Date.now() / 1000) - days * DAY;
}

/** A team that bought at a moment, and whose card is declined when its seats are renewed. */
async function declined(at: number, delivery: Delivery): Promise<Team> {
  const team = await createTeamAt(clients, at);
  await replaceCard(clients, team, "pm_card_chargeCustomerFail");
  await stripeControl.settle({ contains: team.customerId });
  const { end } = await periodOf(clients, team);
  await afterwards(clients, team, delivery, () => advanceTo(clients, team, end + HOUR));
  return team;
}

/** Pays the open invoice on Stripe's page. */
async function payInvoice(team: Team): Promise<void> {
  const { subscription: { latest_invoice: invoice } } = await subscriptionOf(clients, team);
  assert(invoice !== null && typeof invoice === "object");
  await stripeControl.payHostedInvoice(invoice.id);
}

for (const delivery of DELIVERIES) {
  Deno.test(`an overdue renewal keeps the seats and lets people in through the grace period (webhooks ${delivery})`, async () => {
    const team = await declined(ago(33), delivery);

    const { start } = await periodOf(clients, team);
    const { graceUntil } = await assertSeen(clients, team, {
      status: "past_due",
      purchasedSeats: 5,
      renewalSeats: 5,
      overCapacity: false,
      availableSeats: 2,
    });
    assert.equal(Date.parse(graceUntil ?? "") / 1000, start + GRACE);
    assert.equal(await tryToInvite(clients, team), "invited");
    assertRefused(await clickChange(clients, team, { seats: 6 }), 409, "payment_overdue");
  });

  Deno.test(`after the grace period nobody new is let in until it is paid, and those who are in stay (webhooks ${delivery})`, async () => {
    const team = await declined(ago(40), delivery);

    const { start } = await periodOf(clients, team);
    assert.equal(await tryToInvite(clients, team), "payment_overdue");
    const { graceUntil } = await assertSeen(clients, team, {
      status: "past_due",
      purchasedSeats: 5,
      membersCount: 3,
      overCapacity: false,
    });
    assert.equal(Date.parse(graceUntil ?? "") / 1000, start + GRACE);
    // Retries that fail make it no longer.
    await advanceTo(clients, team, start + 4 * DAY);
    await stripeControl.settle({ contains: team.customerId });
    await assertSeen(clients, team, { status: "past_due", graceUntil, membersCount: 3 });

    await afterwards(clients, team, delivery, () => payInvoice(team));

    await assertSeen(clients, team, { status: "active", purchasedSeats: 5, graceUntil: null });
    assert.equal(await tryToInvite(clients, team), "invited");
  });

  Deno.test(`an unpaid subscription gives no seats and throws nobody out, and paying gives them back (webhooks ${delivery})`, async () => {
    const team = await declined(FUTURE, delivery);
    await stripeControl.setAfterRetries("unpaid", team.customerId);
    const { start } = await periodOf(clients, team);

    await afterwards(clients, team, delivery, () => advanceTo(clients, team, start + GIVEN_UP));

    await assertSeen(clients, team, {
      status: "unpaid",
      purchasedSeats: 0,
      renewalSeats: 0,
      membersCount: 3,
      overCapacity: true,
      availableSeats: -3,
      graceUntil: null,
    });
    assert.equal(await tryToInvite(clients, team), "seats_full");
    assertRefused(await clickChange(clients, team, { seats: 6 }), 409, "payment_overdue");

    await afterwards(clients, team, delivery, () => payInvoice(team));

    await assertSeen(clients, team, {
      status: "active",
      purchasedSeats: 5,
      renewalSeats: 5,
      membersCount: 3,
      overCapacity: false,
    });
    assert.equal(await tryToInvite(clients, team), "invited");
    assert.deepEqual(
      (await bookOf(clients, team)).map(({ status, balance }) => [status, balance]),
      [["none", 0], ["active", 5], ["past_due", 5], ["unpaid", 0], ["active", 5]],
    );
  });

  Deno.test(`an unpaid period that is paid after all gives what it was billed for, whatever is scheduled (webhooks ${delivery})`, async () => {
    const team = await declined(FUTURE, delivery);
    await stripeControl.setAfterRetries("unpaid", team.customerId);
    await change(clients, team, { seats: 3 });
    const { start } = await periodOf(clients, team);

    await afterwards(clients, team, delivery, () => advanceTo(clients, team, start + GIVEN_UP));
    await assertSeen(clients, team, { status: "unpaid", purchasedSeats: 0, renewalSeats: 0 });
    await afterwards(clients, team, delivery, () => payInvoice(team));

    await assertSeen(clients, team, { status: "active", purchasedSeats: 5, renewalSeats: 3 });
  });

  Deno.test(`a subscription that ends unpaid takes its seats along, and seats can be bought anew (webhooks ${delivery})`, async () => {
    // More than the last retry ago, so that Stripe's time is ours when seats are bought anew.
    const team = await declined(ago(50), delivery);

    await afterwards(clients, team, delivery, () => advanceTo(clients, team, ago(0)));

    await assertSeen(clients, team, {
      status: "canceled",
      purchasedSeats: 0,
      membersCount: 3,
      overCapacity: true,
      graceUntil: null,
      nextInvoice: null,
    });
    assert.equal(await tryToInvite(clients, team), "seats_full");

    const again = { ...team, ...await buySeats(clients, team, { seats: 4 }) };
    assert.notEqual(again.subscriptionId, team.subscriptionId);
    await stripeControl.replay({ contains: team.subscriptionId, times: 2, order: "shuffled" });

    await assertSeen(clients, team, {
      status: "active",
      purchasedSeats: 4,
      overCapacity: false,
      availableSeats: 1,
    });
    assert.equal(await tryToInvite(clients, team), "invited");
    await change(clients, again, { seats: 6 });
    await assertSeen(clients, team, { purchasedSeats: 6 });
  });
}

for (const order of ["lifo", "shuffled"] as const) {
  Deno.test(`months of overdue and paid renewals that are told late, ${order}, leave what Stripe has`, async () => {
    const team = await createTeamAt(clients, FUTURE);
    await replaceCard(clients, team, "pm_card_chargeCustomerFail");
    const contains = team.customerId;
    await stripeControl.settle({ contains });
    const lost = await stripeControl.addPolicy({ contains, kind: "drop", times: 0 });
    for (let month = 0; month < 3; month++) {
      const { end } = await periodOf(clients, team);
      await advanceTo(clients, team, end + 4 * DAY);
      await payInvoice(team);
    }
    await stripeControl.removePolicy(lost);

    // Without the events about invoices, for which Stripe is asked.
    const type = "customer.subscription.updated";
    const told = await stripeControl.replay({ contains, type, order });

    assert(told.length > 6);
    const paid = { status: "active", purchasedSeats: 5, graceUntil: null, membersCount: 3 };
    await assertSeen(clients, team, paid);
    assert.deepEqual(await syncUntilAgreed(clients, team), []);
    await assertSeen(clients, team, paid);
  });
}
