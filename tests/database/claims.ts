import { only, type Sql } from "./connection.ts";
import type { Organization } from "./organizations.ts";
import { randomId } from "./random_id.ts";
import type { ListedInvitation, ListedMembership } from "./sync_leases.ts";

/** Somebody to invite. */
export interface Invitee {
  readonly email: string;
  readonly role?: string;
}

/** What `claim_seats()` says of somebody. */
export interface ClaimedPerson {
  readonly email: string;
  readonly role: string;
  readonly outcome: string;
  readonly invitationId: string | null;
}

/** Addresses that nobody else has: each with a name of its own. */
export function people(count: number, name = "p"): readonly Invitee[] {
  return Array.from({ length: count }, (_, n) => ({ email: `${name}${n}@example.com` }));
}

/** Holds seats for people, as manage-members does before it asks Clerk. */
export async function claimSeats(
  sql: Sql,
  { id, clerkOrgId }: Organization,
  invitees: readonly Invitee[],
  partial = false,
): Promise<readonly ClaimedPerson[]> {
  const { claim } = only(
    await sql<{ claim: { people: readonly ClaimedPerson[] } }[]>`
      select public.claim_seats(
        ${id}, ${clerkOrgId}, ${JSON.stringify(invitees)}::text::jsonb, ${partial}, 'user_admin'
      ) as claim`,
  );
  return claim.people;
}

/** What Clerk answered for a reservation. */
export type ClerkResult =
  | { readonly invitationId: string | null; readonly refused: true }
  | {
    readonly invitationId: string | null;
    readonly invitation: ListedInvitation;
    readonly status: string;
  };

/** Records what Clerk answered; the states that the reservations have then. */
export async function settleInvitations(
  sql: Sql,
  { id }: Organization,
  results: readonly ClerkResult[],
): Promise<readonly string[]> {
  const { settled } = only(
    await sql<{ settled: { state: string }[] }[]>`
      select public.settle_invitations(
        ${id}, ${JSON.stringify(results)}::text::jsonb, 'user_admin'
      ) as settled`,
  );
  return settled.map(({ state }) => state);
}

/** An invitation as Clerk would answer or list it, made this moment. */
export function clerkInvitation(email: string): ListedInvitation {
  const now = Date.now();
  return {
    id: randomId("orginv"),
    email,
    role: "org:member",
    createdAt: new Date(now).toISOString(),
    updatedAt: new Date(now).toISOString(),
    expiresAt: new Date(now + 30 * 24 * 3_600_000).toISOString(),
  };
}

/** A membership as Clerk would answer or list it, made this moment. */
export function clerkMembership(
  userId: string,
  email: string,
  role = "org:member",
): ListedMembership {
  const now = new Date().toISOString();
  return { id: randomId("orgmem"), userId, email, role, createdAt: now, updatedAt: now };
}

/** The state of each invitation to an address, oldest first, and whether it holds a seat. */
export async function invitationsTo(
  sql: Sql,
  { id }: Organization,
  email: string,
): Promise<readonly string[]> {
  const rows = await sql<{ state: string }[]>`
    select status || case when holds_seat then ' seat' else '' end as state
    from public.organization_invitations
    where organization_id = ${id} and email = ${email} order by created_at`;
  return rows.map(({ state }) => state);
}

/** Lets every hold of an organization lapse, as half a minute does. */
export async function lapseHolds(sql: Sql, { id }: Organization): Promise<void> {
  for (const table of ["organization_invitations", "organization_members"]) {
    await sql`
      update public.${sql(table)} set held_until = now() - interval '1 second'
      where organization_id = ${id} and held_until is not null`;
    await sql`
      update public.${sql(table)} set updated_at = now() - interval '31 seconds'
      where organization_id = ${id} and held_until is not null`;
  }
}
