import assert from "node:assert/strict";
import { only } from "./connection.ts";
import {
  ageChanges,
  attention,
  type Case,
  changing,
  neverSynced,
  ran,
  report,
} from "./health_reports.ts";
import { addMembers, makeOrganization, setSeats } from "./organizations.ts";
import {
  applySubscriptionEvent,
  second,
  subscribe,
  subscriptionEvent,
} from "./paid_subscriptions.ts";

/** What needs a person, and what does not. */
export const ATTENTION: readonly Case[] = [
  ["a sweep that repairs more than is usual wants attention for a day", async (sql) => {
    await sql`update private.settings set drift_alert = 5`;
    await ran(sql, "1 minute", { drift: { counts: 2, seats: 3 } });
    assert.deepEqual((await report(sql)).attention, []);
    await ran(sql, "23 hours", { drift: { counts: 2, seats: 4 } });
    await ran(sql, "25 hours", { drift: { counts: 9 } });
    assert.deepEqual((await report(sql)).attention, [{ code: "much_drift", count: 1 }]);
  }],

  ["syncs of which more than one in twenty fails want attention", async (sql) => {
    await ran(sql, "1 minute", { organizations: 94, failed: 6 });
    assert.deepEqual((await report(sql)).attention, [{ code: "syncs_failing", count: 6 }]);
  }],

  ["an organization waits from its last comparison, or from its creation", async (sql) => {
    await ran(sql, "1 minute");
    await neverSynced(sql, "2 hours");
    const { id } = await neverSynced(sql, "3 hours");
    assert.equal((await report(sql)).syncs.oldestSeconds, 3 * 3600);
    await sql`update public.organizations set last_synced_at = now() where id = ${id}`;
    assert.equal((await report(sql)).syncs.oldestSeconds, 2 * 3600);
    assert.deepEqual(await attention(sql), {});
  }],

  ["one that has waited for more than a day wants attention, the longest first", async (sql) => {
    await ran(sql, "1 minute");
    const two = await neverSynced(sql, "2 days");
    const three = await neverSynced(sql, "3 days");
    const deleted = await neverSynced(sql, "4 days");
    await sql`update public.organizations set deleted_at = now() where id = ${deleted.id}`;
    assert.deepEqual(await attention(sql), { organizations_unswept: [three.id, two.id] });
  }],

  ["that no sweep runs is seen within an hour", async (sql) => {
    await ran(sql, "61 minutes");
    await neverSynced(sql, "59 minutes");
    assert.deepEqual(await attention(sql), {});
    await neverSynced(sql, "61 minutes");
    assert.deepEqual(await attention(sql), { sweep_not_running: undefined });
    await ran(sql, "59 minutes");
    assert.deepEqual(await attention(sql), {});
  }],

  ["a stuck change wants attention at once", async (sql) => {
    const { organization, changeId } = await changing(sql, 20);
    await sql`select public.mark_seat_change_stuck(${changeId}, 'timeout')`;
    assert.deepEqual(await attention(sql), { changes_stuck: [organization.id] });
  }],

  ["a change that no sweep settles wants attention after a while", async (sql) => {
    const { organization, changeId } = await changing(sql, 20);
    await ageChanges(sql, organization, "16 minutes");
    assert.deepEqual(await attention(sql), { changes_overdue: [organization.id] });
    for (
      const [state, young, old] of [
        ["awaiting_payment", "23 hours", "25 hours"],
        ["scheduled", "23 hours", "25 hours"],
      ] as const
    ) {
      await sql`update public.seat_changes set state = ${state} where id = ${changeId}`;
      await ageChanges(sql, organization, young);
      assert.deepEqual(await attention(sql), {}, state);
      await ageChanges(sql, organization, old);
      assert.deepEqual(await attention(sql), { changes_overdue: [organization.id] }, state);
    }
    await sql`update public.seat_changes set state = 'completed' where id = ${changeId}`;
    await ageChanges(sql, organization, "1 year");
    assert.deepEqual(await attention(sql), {});
  }],

  ["a hold that no sync settles wants attention after an hour", async (sql) => {
    for (const table of ["organization_invitations", "organization_members"] as const) {
      const organization = await makeOrganization(sql, { seats: 4, members: 1, invitations: 1 });
      const hold = (ago: string) =>
        sql`
          update public.${sql(table)} set held_until = now() - ${ago}::text::interval
          where organization_id = ${organization.id}`;
      await hold("59 minutes");
      assert.deepEqual(await attention(sql), {});
      await hold("61 minutes");
      assert.deepEqual(await attention(sql), { holds_lapsed: [organization.id] });
      await hold("-20 seconds");
    }
  }],

  ["a limit that Clerk refuses wants attention", async (sql) => {
    const { id } = await makeOrganization(sql, { seats: 5, queued: true });
    const { push } = only(
      await sql<{ push: { pushId: string } }[]>`
        select public.start_clerk_limit_push(${id}) as push`,
    );
    await sql`select public.finish_clerk_limit_push(${id}, ${push.pushId}, 5, 'not_allowed')`;
    assert.deepEqual(await attention(sql), { clerk_limit_refused: [id] });
    await sql`update public.organizations set deleted_at = now() where id = ${id}`;
    assert.deepEqual(await attention(sql), {});
  }],

  ["who pays for fewer seats than are taken wants attention", async (sql) => {
    const organization = await makeOrganization(sql, { seats: 2, members: 2 });
    assert.deepEqual(await attention(sql), {});
    await addMembers(sql, organization, 1);
    assert.deepEqual(await attention(sql), { over_capacity: [organization.id] });
    await setSeats(sql, organization, 3);
    assert.deepEqual(await attention(sql), {});
  }],

  ["who is charged for an organization that is gone wants attention", async (sql) => {
    const organization = await makeOrganization(sql, { members: 2 });
    const subscription = await subscribe(sql, organization);
    await sql`
      update public.organizations set deleted_at = now() where id = ${organization.id}`;
    assert.deepEqual(await attention(sql), { deleted_but_charged: [organization.id] });
    await applySubscriptionEvent(
      sql,
      subscriptionEvent({ ...subscription, cancelAtPeriodEnd: true }, second(10)),
    );
    assert.deepEqual(await attention(sql), {});
    await applySubscriptionEvent(sql, subscriptionEvent(subscription, second(20)));
    assert.deepEqual(await attention(sql), { deleted_but_charged: [organization.id] });
    await applySubscriptionEvent(
      sql,
      subscriptionEvent({ ...subscription, status: "canceled" }, second(30), "deleted"),
    );
    assert.deepEqual(await attention(sql), {});
  }],

  ["who pays for two subscriptions wants attention", async (sql) => {
    const organization = await makeOrganization(sql, { members: 2 });
    await subscribe(sql, organization);
    assert.deepEqual(await attention(sql), {});
    await subscribe(sql, organization);
    assert.deepEqual(await attention(sql), { several_subscriptions: [organization.id] });
  }],

  ["all are counted, and the first twenty named", async (sql) => {
    for (let n = 0; n < 21; n++) await makeOrganization(sql, { seats: 1, members: 2 });
    const found = only((await report(sql)).attention);
    assert.deepEqual([found.code, found.count, found.organizationIds?.length], [
      "over_capacity",
      21,
      20,
    ]);
  }],
];
