import { only, type Sql } from "./connection.ts";
import type { Organization } from "./organizations.ts";

/** The right to sync an organization, as the Data API hands it out (`sync_lease`). */
export interface Lease {
  readonly organization_id: string;
  readonly clerk_org_id: string;
  readonly stripe_customer_id: string | null;
  readonly lease_id: string;
  readonly started_at: string;
  readonly subscription_version: number;
  readonly open_change_id: string | null;
  readonly open_change_subscription_id: string | null;
}

/** A membership as `reconcile_organization()` takes it from Clerk's list. */
export interface ListedMembership {
  readonly id: string;
  readonly userId: string | null;
  readonly email: string;
  readonly role: string;
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** An invitation as `reconcile_organization()` takes it from Clerk's list. */
export interface ListedInvitation {
  readonly id: string;
  readonly email: string;
  readonly role: string;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly expiresAt: string;
}

/** What Clerk says of an organization. */
export type ClerkState = { readonly deleted: true } | {
  readonly memberships: readonly ListedMembership[];
  readonly invitations: readonly ListedInvitation[];
};

/** What Stripe says of a customer. */
export interface StripeState {
  readonly readAt: number;
  readonly subscriptions: readonly object[];
  readonly fencedChangeId?: string | null;
}

/** A difference that was found. */
export interface Drift {
  readonly kind: string;
  readonly id: string | null;
  readonly was: string | null;
  readonly is: string | null;
}

/** What `reconcile_organization()` returns. */
export interface Summary {
  readonly organizationId: string;
  readonly seatsUsed: number;
  readonly seatsTotal: number;
  readonly memberCount: number;
  readonly pendingInvitationsCount: number;
  readonly overCapacity: boolean;
  readonly drift: readonly Drift[];
}

/** Leases the organizations that have waited longest and were not tried since `before`. */
export async function claimBatch(
  sql: Sql,
  limit: number,
  before = "infinity",
  leaseSeconds = 60,
): Promise<readonly Lease[]> {
  const rows = await sql<{ lease: Lease }[]>`
    select to_jsonb(l) as lease
    from public.claim_sync_batch(${limit}, ${leaseSeconds}, ${before}::text::timestamptz) as l`;
  return rows.map(({ lease }) => lease);
}

/** Leases one organization for its admin. */
export async function claimOrganization(
  sql: Sql,
  { id, clerkOrgId }: Pick<Organization, "id" | "clerkOrgId">,
  leaseSeconds = 60,
): Promise<Lease> {
  const rows = await sql<{ lease: Lease }[]>`
    select to_jsonb(l) as lease
    from public.claim_organization_sync(${id}, ${clerkOrgId}, ${leaseSeconds}) as l`;
  return only(rows).lease;
}

/** Gives a lease back. */
export async function abandon(sql: Sql, lease: Lease): Promise<void> {
  await sql`select public.abandon_sync(${lease.organization_id}, ${lease.lease_id})`;
}

/** Puts right what differs from what Clerk and Stripe say. */
export async function reconcile(
  sql: Sql,
  lease: Lease,
  clerk: ClerkState | null,
  stripe: StripeState | null = null,
): Promise<Summary> {
  const rows = await sql<{ summary: Summary }[]>`
    select public.reconcile_organization(
      ${JSON.stringify(lease)}::text::jsonb,
      ${clerk === null ? null : JSON.stringify(clerk)}::text::jsonb,
      ${stripe === null ? null : JSON.stringify(stripe)}::text::jsonb,
      'sync'
    ) as summary`;
  return only(rows).summary;
}

/** Leases an organization and puts right what differs: one sync. Returns what had drifted. */
export async function sync(
  sql: Sql,
  organization: Organization,
  clerk: ClerkState | null,
  stripe: StripeState | null = null,
): Promise<readonly Drift[]> {
  const lease = await claimOrganization(sql, organization);
  return (await reconcile(sql, lease, clerk, stripe)).drift;
}

/** Clerk's lists as they are when nothing has drifted. */
export async function clerkStateOf(sql: Sql, { id }: Organization): Promise<{
  memberships: ListedMembership[];
  invitations: ListedInvitation[];
}> {
  const memberships = await sql<ListedMembership[]>`
    select clerk_membership_id as id, clerk_user_id as "userId", email, role,
      to_jsonb(clerk_created_at) #>> '{}' as "createdAt",
      to_jsonb(clerk_updated_at) #>> '{}' as "updatedAt"
    from public.organization_members
    where organization_id = ${id} and status = 'active' and clerk_membership_id is not null
    order by email`;
  const invitations = await sql<ListedInvitation[]>`
    select clerk_invitation_id as id, email, role,
      to_jsonb(clerk_created_at) #>> '{}' as "createdAt",
      to_jsonb(clerk_updated_at) #>> '{}' as "updatedAt",
      to_jsonb(expires_at) #>> '{}' as "expiresAt"
    from public.organization_invitations
    where organization_id = ${id} and status = 'pending'
    order by email`;
  return { memberships: [...memberships], invitations: [...invitations] };
}
