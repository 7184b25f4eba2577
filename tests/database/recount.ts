import assert from "node:assert/strict";
import { only, type Sql } from "./connection.ts";
import { numbersOf } from "./organizations.ts";

interface MemberRow {
  readonly email: string | null;
  readonly userId: string;
}

interface InvitationRow {
  readonly id: string;
  readonly email: string;
  readonly userId: string | null;
  readonly status: string;
  readonly holdsSeat: boolean;
  readonly madeAt: number;
}

const LIVE = ["reserved", "pending", "accepted"];

/**
 * Fails unless the numbers of an organization are those of its rows, counted here by other means
 * than the database's own, none of them is negative, and the account book ends with them.
 */
export async function assertCounted(sql: Sql, organization: { readonly id: string }) {
  const members = await sql<MemberRow[]>`
    select email, clerk_user_id as "userId"
    from public.organization_members
    where organization_id = ${organization.id} and status = 'active'`;
  const invitations = await sql<InvitationRow[]>`
    select id, email, clerk_user_id as "userId", status, holds_seat as "holdsSeat",
      extract(epoch from coalesce(clerk_created_at, created_at))::float8 as "madeAt"
    from public.organization_invitations
    where organization_id = ${organization.id}`;

  const holding = invitations.filter((one) => holdsSeat(one, members, invitations));
  assert.deepEqual(
    invitations.filter((one) => one.holdsSeat).map(({ id }) => id).sort(),
    holding.map(({ id }) => id).sort(),
  );
  const numbers = await numbersOf(sql, organization);
  assert.deepEqual(
    [numbers.members, numbers.invitations, numbers.used],
    [members.length, holding.length, members.length + holding.length],
  );
  assert(numbers.members >= 0 && numbers.invitations >= 0);
  assert.deepEqual(await lastBalanceOf(sql, organization), {
    purchased: numbers.seatLimit,
    used: numbers.used,
  });
}

/** The balance that the account book of an organization ends with. */
export async function lastBalanceOf(
  sql: Sql,
  { id }: { readonly id: string },
): Promise<{ purchased: number; used: number }> {
  const rows = await sql<{ purchased: number; used: number }[]>`
    select purchased_seats as purchased, seats_used as used
    from public.billing_changes where organization_id = ${id} order by id desc limit 1`;
  return { ...only(rows) };
}

/** A live invitation holds its person's one seat: not beside a membership or a newer invitation. */
function holdsSeat(
  one: InvitationRow,
  members: readonly MemberRow[],
  invitations: readonly InvitationRow[],
): boolean {
  const isMember = members.some(({ email, userId }) =>
    email === one.email || userId === one.userId
  );
  const isReplaced = invitations.some((other) =>
    other.email === one.email && [...LIVE, "joined"].includes(other.status) && isNewer(other, one)
  );
  return LIVE.includes(one.status) && !isMember && !isReplaced;
}

function isNewer(one: InvitationRow, other: InvitationRow): boolean {
  return one.madeAt === other.madeAt ? one.id > other.id : one.madeAt > other.madeAt;
}
