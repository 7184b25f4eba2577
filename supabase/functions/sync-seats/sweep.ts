import * as z from "zod";
import type { Alert } from "../_shared/alerts.ts";
import { answerOf } from "../_shared/database.ts";
import { describeError, log } from "../_shared/log.ts";
import type { Connections } from "./connections.ts";
import { Queue } from "./queue.ts";
import { abandon, endOrganization, type Lease, reconcile, type SyncSummary } from "./reconcile.ts";
import { recoverEvents } from "./undelivered_events.ts";

/**
 * How many organizations are worked off at the same time: enough that the pace, and not the time
 * that answers take, decides how fast a sweep is.
 */
const WORKERS = 24;

/** A sweep begins no further organization after this, in milliseconds. */
const TIME_LIMIT = 110_000;

/** A sweep waits no longer for those under way, in milliseconds: a function has 150 s to answer. */
const LAST_CALL = 140_000;

/** How many organizations get rid of expired invitations in one transaction. */
const EXPIRY_BATCH = 200;

/** How a sweep went. */
export interface SweepReport {
  /** Organizations that were compared. */
  readonly organizations: number;
  /** Organizations that could not be, because Clerk or Stripe failed or took too long. */
  readonly failed: number;
  /** How many differences of each kind were repaired. */
  readonly drift: Readonly<Record<string, number>>;
  /** Events that Stripe had failed to deliver and that were applied. */
  readonly recoveredEvents: number;
  /** Whether organizations are waiting that this sweep has not come to. */
  readonly more: boolean;
}

/** Where the results of a sweep's workers come together. */
interface Progress {
  begun: number;
  readonly summaries: SyncSummary[];
  readonly unknown: Lease[];
}

/**
 * Does what is due by the clock, applies the events that Stripe failed to deliver, and compares the
 * organizations that have waited longest, each at most once, several at a time and beside other
 * sweeps.
 *
 * @param limit how many organizations at the most.
 * @throws {ApiError} what the database raises.
 */
export async function sweep(
  connections: Connections & { readonly alert: Alert },
  limit: number,
  requestId: string,
): Promise<SweepReport> {
  const { database } = connections;
  const startedAt = new Date();
  const { eventsSince } = z.object({ eventsSince: z.int() })
    .parse(await answerOf(database.rpc("begin_sweep")));
  await expireInvitations(connections);
  const { recovered, until } = await recoverEvents(connections, eventsSince, requestId);

  const progress = await workOff(connections, startedAt, limit, requestId);
  await endUnknown(connections, progress, requestId);
  const { begun, summaries } = progress;
  const report = {
    organizations: summaries.length,
    failed: begun - summaries.length,
    drift: countByKind(summaries),
    recoveredEvents: recovered,
  };
  const { more, differences, alert } = z
    .object({ more: z.boolean(), differences: z.int(), alert: z.boolean() })
    .parse(
      await answerOf(database.rpc("record_sync_run", {
        p_started_at: startedAt.toISOString(),
        p_organizations: report.organizations,
        p_failed: report.failed,
        p_drift: report.drift,
        p_recovered_events: recovered,
        ...(until === null ? {} : { p_events_until: until }),
      })),
    );
  if (alert) {
    const kinds = JSON.stringify(report.drift);
    await connections.alert("drift", { function: "sync-seats", requestId, differences, kinds });
  }
  return { ...report, more };
}

/** Has the workers compare organizations until none is left, enough are done or time is up. */
async function workOff(
  connections: Connections,
  startedAt: Date,
  limit: number,
  requestId: string,
): Promise<Progress> {
  const progress: Progress = { begun: 0, summaries: [], unknown: [] };
  const queue = new Queue(connections, startedAt, limit);
  const work = async () => {
    while (Date.now() < startedAt.getTime() + TIME_LIMIT) {
      const lease = await queue.take();
      if (lease === null) return;
      progress.begun++;
      try {
        const summary = await reconcile(connections, lease, "sync");
        if (summary === null) progress.unknown.push(lease);
        else progress.summaries.push(summary);
      } catch (error) {
        logFailure(lease, requestId, describeError(error));
      }
    }
  };
  const lastCall = timeUp(startedAt.getTime() + LAST_CALL);
  const workers = Promise.all(Array.from({ length: WORKERS }, work));
  await Promise.race([workers, lastCall.reached]).finally(lastCall.cancel);
  await queue.close();
  return progress;
}

async function expireInvitations({ database }: Connections): Promise<void> {
  let organizations: number;
  do {
    organizations = await answerOf(
      database.rpc("expire_invitations", { p_limit: EXPIRY_BATCH }),
    );
  } while (organizations > 0);
}

/**
 * Ends the organizations that Clerk does not know. With the key of another Clerk instance that would
 * be all of them: only where Clerk knew one of ours has another one really been deleted.
 */
async function endUnknown(
  connections: Connections,
  { summaries, unknown }: Progress,
  requestId: string,
): Promise<void> {
  const isOurClerk = summaries.length > 0;
  for (const lease of unknown) {
    if (isOurClerk) {
      summaries.push(await endOrganization(connections, lease, "sync"));
    } else {
      await abandon(connections, lease);
      logFailure(lease, requestId, "Clerk does not know the organization");
    }
  }
}

function countByKind(summaries: readonly SyncSummary[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { kind } of summaries.flatMap(({ drift }) => drift)) {
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

function timeUp(at: number): { readonly reached: Promise<void>; cancel(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, at - Date.now());
  return { reached: promise, cancel: () => clearTimeout(timer) };
}

function logFailure(lease: Lease, requestId: string, cause: string): void {
  log("error", "organization not synced", {
    function: "sync-seats",
    requestId,
    organizationId: lease.organization_id,
    cause,
  });
}
