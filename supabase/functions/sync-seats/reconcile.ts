import * as z from "zod";
import { pushClerkLimit } from "../_shared/clerk_limit.ts";
import { answerOf, toJson } from "../_shared/database.ts";
import type { Json } from "../_shared/database.types.ts";
import { readLists } from "./clerk_state.ts";
import type { Connections } from "./connections.ts";
import { readStripeState } from "./stripe_state.ts";

/**
 * How long a worker may take for an organization before another takes it over, in seconds: longer
 * than a function lives.
 */
export const LEASE_SECONDS = 180;

/** The right to sync an organization (`sync_lease` in the database). */
export const leaseSchema = z.object({
  organization_id: z.uuid(),
  clerk_org_id: z.string(),
  stripe_customer_id: z.string().nullable(),
  lease_id: z.uuid(),
  started_at: z.string(),
  subscription_version: z.int(),
  open_change_id: z.uuid().nullable(),
  open_change_subscription_id: z.string().nullable(),
});

/** The right to sync an organization. */
export type Lease = z.infer<typeof leaseSchema>;

const summarySchema = z.object({
  organizationId: z.uuid(),
  seatsUsed: z.int(),
  seatsTotal: z.int(),
  memberCount: z.int(),
  pendingInvitationsCount: z.int(),
  overCapacity: z.boolean(),
  pushLimit: z.boolean(),
  drift: z.array(
    z.object({
      kind: z.string(),
      id: z.string().nullable(),
      was: z.string().nullable(),
      is: z.string().nullable(),
    }),
  ),
});

/** How an organization stands after a sync, and each difference that was found and repaired. */
export type SyncSummary = Omit<z.infer<typeof summarySchema>, "pushLimit">;

/**
 * Compares a leased organization with Clerk and Stripe, by identity, and has the database put right
 * what differs. Then Clerk is told the limit where it does not have it. Whatever fails before, the
 * lease is given back and nothing is written.
 *
 * @returns null, and the lease stays, when Clerk does not know the organization.
 * @throws {ApiError} `clerk_unavailable` or `stripe_unavailable` (503), `clerk_error` or
 * `stripe_error` (502), and what the database raises.
 */
export async function reconcile(
  connections: Connections,
  lease: Lease,
  actor: string,
): Promise<SyncSummary | null> {
  try {
    const [lists, subscriptions] = await Promise.all([
      readLists(connections, lease.clerk_org_id),
      lease.stripe_customer_id === null
        ? null
        : readStripeState(connections, lease, lease.stripe_customer_id),
    ]);
    if (lists === null) return null;
    return await write(connections, lease, lists, subscriptions, actor);
  } catch (error) {
    await abandon(connections, lease);
    throw error;
  }
}

/** Gives a lease back; one that cannot be given back ends by itself. */
export async function abandon({ database }: Connections, lease: Lease): Promise<void> {
  await database.rpc("abandon_sync", {
    p_organization_id: lease.organization_id,
    p_lease_id: lease.lease_id,
  });
}

/** Records that Clerk has deleted a leased organization. */
export async function endOrganization(
  connections: Connections,
  lease: Lease,
  actor: string,
): Promise<SyncSummary> {
  return await write(connections, lease, { deleted: true }, null, actor);
}

async function write(
  connections: Connections,
  lease: Lease,
  clerkState: Json,
  stripeState: Json,
  actor: string,
): Promise<SyncSummary> {
  const { database, clerkPace } = connections;
  const { pushLimit, ...summary } = summarySchema.parse(
    await answerOf(database.rpc("reconcile_organization", {
      p_lease: toJson(lease),
      p_clerk: clerkState,
      p_stripe: stripeState,
      p_actor: actor,
    })),
  );
  if (pushLimit) {
    await clerkPace.turn();
    await pushClerkLimit(connections, summary.organizationId);
  }
  return summary;
}
