import * as z from "zod";
import { answerOf } from "../_shared/database.ts";
import { describeError, log } from "../_shared/log.ts";
import type { Connections } from "./handler.ts";
import {
  abandon,
  endOrganization,
  type Lease,
  LEASE_SECONDS,
  leaseSchema,
  reconcile,
  type SyncSummary,
} from "./reconcile.ts";

/** How many organizations are worked off at the same time. */
const WORKERS = 4;

/** A sweep stops taking new ones after this, in milliseconds: a function has 150 s to answer. */
const TIME_LIMIT = 90_000;

/** How a sweep went. */
export interface SweepReport {
  /** Organizations that were compared. */
  readonly organizations: number;
  /** Organizations that could not be, because Clerk or Stripe failed. */
  readonly failed: number;
  /** How many differences of each kind were repaired. */
  readonly drift: Readonly<Record<string, number>>;
}

/**
 * Works off the organizations that have waited longest, each at most once, several at a time and
 * beside other sweeps.
 *
 * @param limit how many at the most.
 */
export async function sweep(
  connections: Connections,
  limit: number,
  requestId: string,
): Promise<SweepReport> {
  const startedAt = new Date();
  const deadline = startedAt.getTime() + TIME_LIMIT;
  const summaries: SyncSummary[] = [];
  const unknown: Lease[] = [];
  let left = limit;
  let failed = 0;

  const work = async () => {
    while (left-- > 0 && Date.now() < deadline) {
      const lease = await claim(connections, startedAt);
      if (lease === null) return;
      try {
        const summary = await reconcile(connections, lease, "sync");
        if (summary === null) unknown.push(lease);
        else summaries.push(summary);
      } catch (error) {
        failed++;
        logFailure(lease, requestId, describeError(error));
      }
    }
  };
  await Promise.all(Array.from({ length: WORKERS }, work));

  // With the key of another Clerk instance every organization is unknown: only where Clerk knew
  // one of ours has another one really been deleted.
  for (const lease of unknown) {
    if (summaries.length > 0) {
      summaries.push(await endOrganization(connections, lease, "sync"));
    } else {
      failed++;
      await abandon(connections, lease);
      logFailure(lease, requestId, "Clerk does not know the organization");
    }
  }
  const report = { organizations: summaries.length, failed, drift: countByKind(summaries) };
  await answerOf(connections.database.rpc("record_sync_run", {
    p_started_at: startedAt.toISOString(),
    p_organizations: report.organizations,
    p_failed: report.failed,
    p_drift: report.drift,
  }));
  return report;
}

async function claim({ database }: Connections, before: Date): Promise<Lease | null> {
  const leases = z.array(leaseSchema).parse(
    await answerOf(database.rpc("claim_sync_batch", {
      p_limit: 1,
      p_lease_seconds: LEASE_SECONDS,
      p_before: before.toISOString(),
    })),
  );
  return leases[0] ?? null;
}

function countByKind(summaries: readonly SyncSummary[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { kind } of summaries.flatMap(({ drift }) => drift)) {
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

function logFailure(lease: Lease, requestId: string, cause: string): void {
  log("error", "organization not synced", {
    function: "sync-seats",
    requestId,
    organizationId: lease.organization_id,
    cause,
  });
}
