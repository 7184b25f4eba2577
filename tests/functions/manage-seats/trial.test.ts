import assert from "node:assert/strict";
import { stackEnv } from "../../stack.ts";
import { assertRefused } from "../api.ts";
import { connect } from "../clients.ts";
import { advanceTo, periodOf } from "./clock.ts";
import { afterwards, assertSeen, bookOf, createTeamAt, DELIVERIES, tryToInvite } from "./life.ts";
import { change, clickChange, laterInvoices, preview, replaceCard } from "./seats.ts";

const clients = connect(stackEnv());
const { stripeControl } = clients;

const DAY = 24 * 60 * 60;
const FUTURE = Date.UTC(2028, 0, 1) / 1000;

for (const delivery of DELIVERIES) {
  Deno.test(`a trial has its seats, and keeps them when it is paid in the end (webhooks ${delivery})`, async () => {
    const team = await createTeamAt(clients, FUTURE, { trialDays: 14 });
    const seats = { purchasedSeats: 5, renewalSeats: 5, overCapacity: false, availableSeats: 2 };
    const { nextInvoice } = await assertSeen(clients, team, { ...seats, status: "trialing" });
    assert.equal(nextInvoice?.amount, 2900 + 2 * 900);
    assert.equal(await tryToInvite(clients, team), "invited");

    await afterwards(clients, team, delivery, () => advanceTo(clients, team, FUTURE + 15 * DAY));

    await assertSeen(clients, team, { ...seats, status: "active", graceUntil: null });
    assert.deepEqual(
      (await laterInvoices(clients, team)).map((invoice) => invoice.amount_paid),
      [2900 + 2 * 900],
    );
    assert.equal(await tryToInvite(clients, team), "invited");
  });

  Deno.test(`a trial whose first payment is declined is overdue, and in the end over (webhooks ${delivery})`, async () => {
    const team = await createTeamAt(clients, FUTURE, { trialDays: 14 });
    await replaceCard(clients, team, "pm_card_chargeCustomerFail");
    await stripeControl.settle({ contains: team.customerId });

    await afterwards(clients, team, delivery, () => advanceTo(clients, team, FUTURE + 15 * DAY));

    const { start } = await periodOf(clients, team);
    assert.equal(start, FUTURE + 14 * DAY);
    const { graceUntil } = await assertSeen(clients, team, {
      status: "past_due",
      purchasedSeats: 5,
      overCapacity: false,
    });
    assert.equal(Date.parse(graceUntil ?? "") / 1000, start + 7 * DAY);
    assert.equal(await tryToInvite(clients, team), "invited");

    await afterwards(clients, team, delivery, () => advanceTo(clients, team, start + 16 * DAY));

    await assertSeen(clients, team, {
      status: "canceled",
      purchasedSeats: 0,
      membersCount: 3,
      overCapacity: true,
    });
    assert.equal(await tryToInvite(clients, team), "seats_full");
    const booked = (await bookOf(clients, team)).map(({ status, balance }) => [status, balance]);
    // Stripe calls it active until the first payment is declined, which not every order shows.
    assert.deepEqual(
      booked.filter(([status]) => status !== "active"),
      [["none", 0], ["trialing", 5], ["past_due", 5], ["canceled", 0]],
    );
    assert(booked.every(([status, balance]) => status !== "active" || balance === 5));
  });
}

Deno.test("seats that are added in a trial are granted at once, and first paid when it ends", async () => {
  const team = await createTeamAt(clients, Math.floor(Date.now() / 1000), { trialDays: 14 });

  const { end } = await periodOf(clients, team);
  const shown = await preview(clients, team, { seats: 9 });
  assert.deepEqual([shown.outcome, shown.dueToday, shown.prorationDate], ["now", 0, null]);
  assert.deepEqual(shown.nextInvoice, {
    date: new Date(end * 1000).toISOString(),
    amount: 2900 + 6 * 900,
  });
  await change(clients, team, { seats: 9 });
  assert.deepEqual(await laterInvoices(clients, team), []);

  await assertSeen(clients, team, { status: "trialing", purchasedSeats: 9, availableSeats: 6 });
  await advanceTo(clients, team, end + 1);
  await stripeControl.settle({ contains: team.customerId });
  await assertSeen(clients, team, { status: "active", purchasedSeats: 9 });
  assert.equal((await laterInvoices(clients, team)).at(-1)?.amount_paid, 2900 + 6 * 900);
});

Deno.test("the billing period of a trial stays until it is over", async () => {
  const team = await createTeamAt(clients, Math.floor(Date.now() / 1000), { trialDays: 14 });
  const wish = { seats: 5, billingPeriod: "yearly" };

  const { outcome, code } = await preview(clients, team, wish);
  assert.deepEqual([outcome, code], ["refused", "trial_under_way"]);
  const { trialEnd } = assertRefused(
    await clickChange(clients, team, wish),
    409,
    "trial_under_way",
  );
  const { end } = await periodOf(clients, team);
  assert.equal(Date.parse(String(trialEnd)) / 1000, end);
});
