import type postgres from "postgres";

/** Someone in an organization, as Postgres has it. */
export interface Member {
  readonly userId: string;
  readonly status: string;
  readonly role: string;
}

/** An invitation, as Postgres has it. */
export interface Invitation {
  readonly clerkId: string | null;
  readonly email: string;
  readonly status: string;
  readonly holdsSeat: boolean;
}

/** The members of an organization in the order in which their memberships were made. */
export async function membersOf(sql: postgres.Sql, clerkOrgId: string): Promise<Member[]> {
  return [
    ...await sql<Member[]>`
      select m.clerk_user_id as "userId", m.status, m.role
      from public.organization_members as m
      join public.organizations as o on o.id = m.organization_id
      where o.clerk_org_id = ${clerkOrgId} order by m.clerk_created_at, m.clerk_user_id`,
  ];
}

/** The invitations of an organization in the order in which they were made. */
export async function invitationsOf(
  sql: postgres.Sql,
  clerkOrgId: string,
): Promise<Invitation[]> {
  return [
    ...await sql<Invitation[]>`
      select i.clerk_invitation_id as "clerkId", i.email, i.status, i.holds_seat as "holdsSeat"
      from public.organization_invitations as i
      join public.organizations as o on o.id = i.organization_id
      where o.clerk_org_id = ${clerkOrgId} order by i.clerk_created_at, i.clerk_invitation_id`,
  ];
}

/** The seats of an organization that are taken. */
export interface Seats {
  readonly members: number;
  readonly invitations: number;
}

/** Counts the seats that are taken, as the triggers have; null without such an organization. */
export async function seatsOf(sql: postgres.Sql, clerkOrgId: string): Promise<Seats | null> {
  const [row] = await sql<Seats[]>`
    select members_count as members, pending_invitations_count as invitations
    from public.organizations where clerk_org_id = ${clerkOrgId}`;
  return row === undefined ? null : { ...row };
}
