import assert from "node:assert/strict";
import { approveMember, checkCapacity } from "./commands.ts";
import { only, refusalIn, type Transaction, withTransaction } from "./connection.ts";
import { addRequest } from "./join_requests.ts";
import { makeOrganization, numbersOf, type Organization } from "./organizations.ts";
import { assertStanding } from "./seat_changes.ts";
import {
  applySubscriptionEvent,
  second,
  type StripeSubscription,
  subscribe,
  subscriptionEvent,
} from "./paid_subscriptions.ts";

const DAY = 24 * 60 * 60;

/** An organization of 4 people and 10 seats whose renewal was not paid, so many seconds ago. */
async function overdue(
  sql: Transaction,
  since: number,
): Promise<{ organization: Organization; subscription: StripeSubscription }> {
  const organization = await makeOrganization(sql, { members: 4 });
  const paid = await subscribe(sql, organization);
  const subscription: StripeSubscription = {
    ...paid,
    status: "past_due",
    periodStart: second(-since),
    periodEnd: second(30 * DAY - since),
  };
  await applySubscriptionEvent(sql, subscriptionEvent(subscription, second(1)));
  return { organization, subscription };
}

async function canAdd(sql: Transaction, organization: Organization): Promise<boolean> {
  return (await checkCapacity(sql, organization))?.canAdd ?? false;
}

Deno.test("an overdue payment keeps the seats and lets people in for 7 days", () =>
  withTransaction(async (sql) => {
    const { organization } = await overdue(sql, 6 * DAY);

    await assertStanding(sql, organization, { status: "past_due", purchased: 10, renewal: 10 });
    assert.equal(await canAdd(sql, organization), true);
    const request = await addRequest(sql, organization);
    assert.equal((await approveMember(sql, request.id)).status, "active");
  }));

Deno.test("after 7 days nobody is let in, and nobody is thrown out", () =>
  withTransaction(async (sql) => {
    const { organization, subscription } = await overdue(sql, 7 * DAY + 60);

    await assertStanding(sql, organization, { status: "past_due", purchased: 10, renewal: 10 });
    assert.equal(await canAdd(sql, organization), false);
    const request = await addRequest(sql, organization);
    const refusal = await refusalIn(sql, (sql) => approveMember(sql, request.id));

    assert.deepEqual([refusal.sqlstate, refusal.code], ["PT409", "payment_overdue"]);
    const { graceUntil } = refusal.details as { graceUntil: string };
    assert.equal(Date.parse(graceUntil) / 1000, subscription.periodStart + 7 * DAY);
    const { members, overCapacity } = await numbersOf(sql, organization);
    assert.deepEqual({ members, overCapacity }, { members: 4, overCapacity: false });
  }));

Deno.test("paying lets people in again", () =>
  withTransaction(async (sql) => {
    const { organization, subscription } = await overdue(sql, 9 * DAY);

    const paid = { ...subscription, status: "active" };
    await applySubscriptionEvent(sql, subscriptionEvent(paid, second(2)));

    assert.equal(await canAdd(sql, organization), true);
    const { grace } = only(
      await sql`
        select grace_until as grace from public.organization_subscriptions
        where organization_id = ${organization.id}`,
    );
    assert.equal(grace, null);
    const request = await addRequest(sql, organization);
    assert.equal((await approveMember(sql, request.id)).status, "active");
  }));

Deno.test("more retries that fail do not make the grace period longer", () =>
  withTransaction(async (sql) => {
    const { organization, subscription } = await overdue(sql, 8 * DAY);

    for (const at of [2, 3 * DAY]) {
      await applySubscriptionEvent(sql, subscriptionEvent(subscription, second(at)));
      assert.equal(await canAdd(sql, organization), false);
    }
  }));

Deno.test("the grace period is a setting", () =>
  withTransaction(async (sql) => {
    await sql`update private.settings set grace_period = '14 days'`;
    const { organization: within } = await overdue(sql, 13 * DAY);
    const { organization: past } = await overdue(sql, 14 * DAY + 60);
    assert.equal(await canAdd(sql, within), true);
    assert.equal(await canAdd(sql, past), false);

    await sql`update private.settings set grace_period = '0'`;
    const { organization: none } = await overdue(sql, 60);
    assert.equal(await canAdd(sql, none), false);
  }));

for (const status of ["unpaid", "canceled"]) {
  Deno.test(`a subscription that is ${status} gives no seats, and throws nobody out`, () =>
    withTransaction(async (sql) => {
      const { organization, subscription } = await overdue(sql, 9 * DAY);

      const type = status === "canceled" ? "deleted" : "updated";
      const ended = { ...subscription, status };
      await applySubscriptionEvent(sql, subscriptionEvent(ended, second(2), type));

      await assertStanding(sql, organization, { status, purchased: 0, renewal: 0 });
      const { members, overCapacity } = await numbersOf(sql, organization);
      assert.deepEqual({ members, overCapacity }, { members: 4, overCapacity: true });
      const request = await addRequest(sql, organization);
      const { code } = await refusalIn(sql, (sql) => approveMember(sql, request.id));
      assert.equal(code, "seats_full");
    }));
}
