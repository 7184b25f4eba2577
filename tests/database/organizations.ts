import { only, type Sql } from "./connection.ts";
import { randomId, randomToken } from "./random_id.ts";

/** An organization that a test has to itself. */
export interface Organization {
  readonly id: string;
  readonly clerkOrgId: string;
  readonly stripeCustomerId: string;
}

/** What an organization begins with. */
export interface Beginning {
  /** Purchased seats, of plan pro; without, it has no subscription and no Stripe customer. */
  readonly seats?: number;
  /** Active members that Clerk has reported; the first is an admin. */
  readonly members?: number;
  /** Pending invitations. */
  readonly invitations?: number;
  readonly status?: "pending" | "approved" | "suspended";
  /** Leaves it in the queue of the sweep. Only where nobody else can see it. */
  readonly queued?: boolean;
}

/**
 * Makes an organization. It stands outside the queue of the sweep, in which one that runs at the
 * same time would find it and end it, since Clerk does not know it: so `sql` is a transaction.
 */
export async function makeOrganization(
  sql: Sql,
  { seats, members = 0, invitations = 0, status = "approved", queued = false }: Beginning = {},
): Promise<Organization> {
  const clerkOrgId = randomId("org");
  const stripeCustomerId = randomId("cus");
  const { id } = only(
    await sql<{ id: string }[]>`
      insert into public.organizations (clerk_org_id, name, status)
      values (${clerkOrgId}, 'Acme', ${status}) returning id`,
  );
  const organization = { id, clerkOrgId, stripeCustomerId };
  if (!queued) await sql`delete from private.organization_syncs where organization_id = ${id}`;
  if (seats !== undefined) await setSeats(sql, organization, seats);
  await addMembers(sql, organization, members);
  await addInvitations(sql, organization, invitations);
  return organization;
}

/** Gives an organization a paid subscription of plan pro with this many seats. */
export async function setSeats(
  sql: Sql,
  { id, stripeCustomerId }: Organization,
  seats: number,
): Promise<void> {
  await sql`
    insert into public.organization_subscriptions (
      organization_id, stripe_customer_id, status, plan, seat_billing_period, purchased_seats,
      renewal_seats
    ) values (${id}, ${stripeCustomerId}, 'active', 'pro', 'monthly', ${seats}, ${seats})
    on conflict (organization_id) do update set
      status = excluded.status, plan = excluded.plan,
      seat_billing_period = excluded.seat_billing_period,
      purchased_seats = excluded.purchased_seats, renewal_seats = excluded.renewal_seats`;
}

/** A row of `organization_members` or `organization_invitations`. */
export interface Person {
  readonly id: string;
  readonly clerkId: string;
  readonly userId: string;
  readonly email: string;
}

/** Adds active members as Clerk would have reported them a day ago, in one statement. */
export async function addMembers(
  sql: Sql,
  { id }: Organization,
  count: number,
): Promise<readonly Person[]> {
  const token = randomToken();
  return await sql<Person[]>`
    insert into public.organization_members (
      organization_id, clerk_membership_id, clerk_user_id, email, role, status, clerk_created_at,
      clerk_updated_at
    )
    select ${id}, 'orgmem_' || person, 'user_' || person, person || '@example.com',
      case n when 1 then 'org:admin' else 'org:member' end, 'active',
      now() - interval '1 day', now() - interval '1 day'
    from generate_series(1, ${count}::integer) as n, concat('m', n, ${token}::text) as person
    returning id, clerk_membership_id as "clerkId", clerk_user_id as "userId", email`;
}

/** Adds pending invitations as Clerk would have reported them a day ago, in one statement. */
export async function addInvitations(
  sql: Sql,
  { id }: Organization,
  count: number,
): Promise<readonly Person[]> {
  const token = randomToken();
  return await sql<Person[]>`
    insert into public.organization_invitations (
      organization_id, clerk_invitation_id, email, status, expires_at, invited_by,
      clerk_created_at, clerk_updated_at
    )
    select ${id}, 'orginv_' || person, person || '@example.com', 'pending',
      now() + interval '29 days', 'user_admin', now() - interval '1 day', now() - interval '1 day'
    from generate_series(1, ${count}::integer) as n, concat('i', n, ${token}::text) as person
    returning id, clerk_invitation_id as "clerkId", 'user_' || split_part(email, '@', 1) as "userId",
      email`;
}

/** Adds people who ask to join, in one statement. */
export async function addRequests(
  sql: Sql,
  { id }: Organization,
  count: number,
): Promise<readonly Omit<Person, "clerkId">[]> {
  const token = randomToken();
  return await sql<Person[]>`
    insert into public.organization_members (organization_id, clerk_user_id, email, status)
    select ${id}, 'user_' || person, person || '@example.com', 'requested'
    from generate_series(1, ${count}::integer) as n, concat('r', n, ${token}::text) as person
    returning id, clerk_user_id as "userId", email`;
}

/** The numbers of an organization. */
export interface Numbers {
  readonly seatLimit: number;
  readonly members: number;
  readonly invitations: number;
  readonly used: number;
  readonly overCapacity: boolean;
}

/** Reads the numbers that the triggers keep. */
export async function numbersOf(sql: Sql, { id }: { readonly id: string }): Promise<Numbers> {
  return only(
    await sql<Numbers[]>`
      select seat_limit as "seatLimit", members_count as members,
        pending_invitations_count as invitations, seats_used as used,
        over_capacity as "overCapacity"
      from public.organizations where id = ${id}`,
  );
}
