import assert from "node:assert/strict";
import postgres from "postgres";
import { onThrowAwayDatabase } from "../../local/database/throw_away.ts";
import { applyClerkEvent } from "./clerk_deliveries.ts";
import { clerkOrganization, minute, organizationEvent } from "./clerk_events.ts";
import { only, rolledBack, type Sql, type Transaction } from "./connection.ts";
import { addMembers, makeOrganization, type Organization, setSeats } from "./organizations.ts";
import {
  applySubscriptionEvent,
  second,
  type StripeSubscription,
  subscribe,
  subscriptionEvent,
} from "./paid_subscriptions.ts";
import { startChange } from "./seat_changes.ts";

/** What `health_report()` returns. */
interface Report {
  readonly at: string;
  readonly webhooks: Readonly<Record<"stripe" | "clerk", WebhookFigures>>;
  readonly syncs: {
    readonly lastRunAt: string | null;
    readonly oldestSeconds: number | null;
    readonly synced: number;
    readonly failed: number;
    readonly recoveredEvents: number;
    readonly sweepsWithMuchDrift: number;
    readonly successRate: number | null;
    readonly drift: Readonly<Record<string, number>>;
  };
  readonly counts: Readonly<Record<string, number>>;
  readonly attention: readonly {
    readonly code: string;
    readonly count: number;
    readonly since?: string;
    readonly organizationIds?: readonly string[];
  }[];
}

interface WebhookFigures {
  readonly events: number;
  readonly late: number;
  readonly medianLagSeconds: number | null;
  readonly maxLagSeconds: number | null;
}

async function report(sql: Sql): Promise<Report> {
  return only(await sql<{ report: Report }[]>`select public.health_report() as report`).report;
}

/** What needs a person: the codes, each with its organizations. */
async function attention(sql: Sql): Promise<Record<string, readonly string[] | undefined>> {
  const list = (await report(sql)).attention;
  return Object.fromEntries(list.map(({ code, organizationIds }) => [code, organizationIds]));
}

/** Enters a run of sync-seats that ended so long ago. */
async function ran(
  sql: Sql,
  ago: string,
  { organizations = 1, failed = 0, drift = {} as Record<string, number> } = {},
): Promise<void> {
  await sql`
    insert into private.sync_runs (started_at, finished_at, organizations, failed, drift)
    values (now(), now() - ${ago}::text::interval, ${organizations}, ${failed},
      ${JSON.stringify(drift)}::text::jsonb)`;
}

/** Enters events that were recorded so long ago, so many seconds after they happened. */
async function recorded(
  sql: Sql,
  provider: string,
  lags: readonly (number | null)[],
  ago = "1 minute",
): Promise<void> {
  for (const lag of lags) {
    await sql`
      insert into private.webhook_events (provider, event_id, type, received_at, occurred_at)
      values (${provider}, gen_random_uuid(), 'any', now() - ${ago}::text::interval,
        now() - ${ago}::text::interval - make_interval(secs => ${lag}))`;
  }
}

/** Makes an organization's changes as old as they are said to be. */
async function ageChanges(sql: Sql, { id }: Organization, ago: string): Promise<void> {
  await sql`alter table public.seat_changes disable trigger seat_changes_touch_updated_at`;
  await sql`
    update public.seat_changes
    set updated_at = now() - ${ago}::text::interval, period_end = now() - ${ago}::text::interval
    where organization_id = ${id}`;
}

async function neverSynced(sql: Sql, age: string): Promise<Organization> {
  const organization = await makeOrganization(sql);
  await sql`
    update public.organizations set created_at = now() - ${age}::text::interval
    where id = ${organization.id}`;
  return organization;
}

async function changing(
  sql: Sql,
  seats: number,
): Promise<{ organization: Organization; subscription: StripeSubscription; changeId: string }> {
  const organization = await makeOrganization(sql, { members: 2 });
  const subscription = await subscribe(sql, organization);
  const { seatChangeId } = await startChange(sql, organization, { seats });
  return { organization, subscription, changeId: seatChangeId };
}

async function isUp(sql: Sql): Promise<boolean> {
  return only(await sql<{ up: boolean }[]>`select public.is_up() as up`).up;
}

type Case = readonly [string, (sql: Transaction) => Promise<void>];

const CASES: readonly Case[] = [
  ["an empty project is well", async (sql) => {
    const { at, ...figures } = await report(sql);
    assert(Math.abs(Date.parse(at) - Date.now()) < 60_000);
    const silence = { events: 0, late: 0, medianLagSeconds: null, maxLagSeconds: null };
    assert.deepEqual(figures, {
      webhooks: { stripe: silence, clerk: silence },
      syncs: {
        lastRunAt: null,
        oldestSeconds: null,
        synced: 0,
        failed: 0,
        recoveredEvents: 0,
        successRate: null,
        sweepsWithMuchDrift: 0,
        drift: {},
      },
      counts: {
        changes_overdue: 0,
        changes_stuck: 0,
        clerk_limit_refused: 0,
        deleted_but_charged: 0,
        holds_lapsed: 0,
        organizations_unswept: 0,
        much_drift: 0,
        over_capacity: 0,
        over_capacity_unpaid: 0,
        several_subscriptions: 0,
        sweep_not_running: 0,
        syncs_failing: 0,
        webhooks_late: 0,
      },
      attention: [],
    });
  }],

  ["so is one whose customers buy, change and leave in order", async (sql) => {
    await ran(sql, "1 minute", { organizations: 4 });
    const { organization } = await changing(sql, 20);
    await ageChanges(sql, organization, "14 minutes");
    await makeOrganization(sql, { members: 1 });
    await makeOrganization(sql, { seats: 5, members: 5 });
    const left = await makeOrganization(sql, { members: 3 });
    const subscription = await subscribe(sql, left);
    await applySubscriptionEvent(
      sql,
      subscriptionEvent({ ...subscription, status: "canceled" }, second(10), "deleted"),
    );
    const { attention, counts } = await report(sql);
    assert.deepEqual(attention, []);
    assert.equal(counts["over_capacity_unpaid"], 1);
  }],

  ["the lag of webhooks is that of the last hour, by provider", async (sql) => {
    await recorded(sql, "stripe", [1, 2, 600]);
    await recorded(sql, "stripe", [7200], "2 hours");
    await recorded(sql, "clerk", [-3, null]);
    const { webhooks, attention } = await report(sql);
    assert.deepEqual(webhooks, {
      stripe: { events: 3, late: 0, medianLagSeconds: 2, maxLagSeconds: 600 },
      clerk: { events: 2, late: 0, medianLagSeconds: 0, maxLagSeconds: 0 },
    });
    assert.deepEqual(attention, []);
  }],

  ["events that come later than a sync waits for them want attention", async (sql) => {
    await recorded(sql, "stripe", [901, 1]);
    await recorded(sql, "clerk", [5000]);
    const { attention } = await report(sql);
    assert.deepEqual(attention, [{ code: "webhooks_late", count: 2 }]);
  }],

  ["the ledger takes each provider's own time of an event", async (sql) => {
    const organization = await makeOrganization(sql);
    const subscription = await subscribe(sql, organization);
    await applySubscriptionEvent(sql, subscriptionEvent(subscription, second(-50)));
    await applyClerkEvent(sql, organizationEvent("created", clerkOrganization()));
    const rows = await sql<{ provider: string; at: Date }[]>`
      select distinct on (provider) provider, occurred_at as at
      from private.webhook_events order by provider, received_at desc`;
    assert.deepEqual(rows.map(({ provider, at }) => [provider, at.getTime()]), [
      ["clerk", minute(0)],
      ["stripe", second(-50) * 1000],
    ]);
  }],

  ["sweeps are counted for a day, and drift by kind", async (sql) => {
    await ran(sql, "1 minute", { organizations: 190, failed: 6, drift: { counts: 2, seats: 1 } });
    await ran(sql, "23 hours", { organizations: 4, drift: { counts: 1 } });
    await ran(sql, "25 hours", { organizations: 0, failed: 500, drift: { seat_limit: 9 } });
    const { syncs, attention } = await report(sql);
    assert.deepEqual({ ...syncs, lastRunAt: null }, {
      lastRunAt: null,
      oldestSeconds: null,
      synced: 194,
      failed: 6,
      recoveredEvents: 0,
      successRate: 0.97,
      sweepsWithMuchDrift: 0,
      drift: { counts: 3, seats: 1 },
    });
    assert.deepEqual(attention, []);
  }],

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

  ["it is up while it takes writes", async (sql) => {
    assert.equal(await isUp(sql), true);
    // As Supabase sets it for a disk that is full.
    await sql`set local default_transaction_read_only = on`;
    assert.equal(await isUp(sql), false);
  }],
];

Deno.test("health", async (test) => {
  await onThrowAwayDatabase(async (databaseUrl) => {
    const sql = postgres(databaseUrl, { max: 1, fetch_types: false, onnotice: () => {} });
    try {
      for (const [name, run] of CASES) await test.step(name, () => rolledBack(sql, run));
    } finally {
      await sql.end();
    }
  });
});
