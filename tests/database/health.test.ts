import assert from "node:assert/strict";
import postgres from "postgres";
import { onThrowAwayDatabase } from "../../local/database/throw_away.ts";
import { applyClerkEvent } from "./clerk_deliveries.ts";
import { clerkOrganization, minute, organizationEvent } from "./clerk_events.ts";
import { rolledBack } from "./connection.ts";
import { ATTENTION } from "./health_attention.ts";
import { ageChanges, type Case, changing, isUp, ran, recorded, report } from "./health_reports.ts";
import { makeOrganization } from "./organizations.ts";
import {
  applySubscriptionEvent,
  second,
  subscribe,
  subscriptionEvent,
} from "./paid_subscriptions.ts";

/** How the whole stands. */
const FIGURES: readonly Case[] = [
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
      for (const [name, run] of [...FIGURES, ...ATTENTION]) {
        await test.step(name, () => rolledBack(sql, run));
      }
    } finally {
      await sql.end();
    }
  });
});
