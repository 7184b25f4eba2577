import { answerOf } from "../_shared/database.ts";
import { ApiError } from "../_shared/errors.ts";
import type { AdminSession } from "../_shared/session.ts";
import type { Connections } from "./connections.ts";
import { abandon, LEASE_SECONDS, leaseSchema, reconcile, type SyncSummary } from "./reconcile.ts";

/**
 * Syncs the organization of an admin's session.
 *
 * @throws {ApiError} `not_organization_admin` (403), `sync_in_progress` (409), `clerk_error` (502)
 * when Clerk does not know the organization, and what `reconcile()` throws.
 */
export async function syncOne(
  connections: Connections,
  organizationId: string,
  session: AdminSession,
): Promise<SyncSummary> {
  const lease = leaseSchema.parse(
    await answerOf(connections.database.rpc("claim_organization_sync", {
      p_organization_id: organizationId,
      p_clerk_org_id: session.clerkOrgId,
      p_lease_seconds: LEASE_SECONDS,
    })),
  );
  const summary = await reconcile(connections, lease, session.userId);
  if (summary === null) {
    await abandon(connections, lease);
    throw ApiError.of("clerk_error", "Clerk does not know this organization.");
  }
  return summary;
}
