import { only, type Sql } from "./connection.ts";

/** What `approve_member()` returns. */
export interface Member {
  readonly id: string;
  readonly status: string;
}

/** Approves a member, as manage-members would. */
export async function approveMember(
  sql: Sql,
  memberId: string,
  actor = "user_admin",
): Promise<Member> {
  return only(
    await sql<Member[]>`select id, status from public.approve_member(${memberId}, ${actor})`,
  );
}

/** Asks to join with a code; null when no organization has it. */
export async function requestMembership(
  sql: Sql,
  joinCode: string,
  userId: string,
  email: string | null,
): Promise<string | null> {
  const rows = await sql<{ id: string | null }[]>`
    select public.request_membership(${joinCode}, ${userId}, ${email}) as id`;
  return only(rows).id;
}

/** What `check_organization_capacity()` says. */
export interface Capacity {
  readonly canAdd: boolean;
  readonly members: number;
  readonly seatLimit: number;
  readonly remaining: number;
}

/** Reads the capacity of an organization; null for one that the caller may not see. */
export async function checkCapacity(
  sql: Sql,
  { id }: { readonly id: string },
): Promise<Capacity | null> {
  const [capacity] = await sql<Capacity[]>`
    select can_add as "canAdd", current_members as members, seat_limit as "seatLimit",
      remaining_seats as remaining
    from public.check_organization_capacity(${id})`;
  return capacity ?? null;
}

/** Approves, suspends, or puts an organization back to waiting. */
export async function setOrganizationStatus(
  sql: Sql,
  { id }: { readonly id: string },
  status: string,
  actor = "user_operator",
): Promise<void> {
  await sql`select public.set_organization_status(${id}, ${status}, ${actor})`;
}
