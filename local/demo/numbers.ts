import type postgres from "postgres";

/** The numbers of an organization that the demo shows before and after each step. */
export interface Numbers {
  purchased_seats: number;
  seat_limit: number;
  members: number;
  invitations: number;
  seats_used: number;
  available: number;
  can_add: boolean;
}

/** Reads the numbers from Postgres; all zero while there is no such organization. */
export async function readNumbers(sql: postgres.Sql, clerkOrgId: string): Promise<Numbers> {
  const [numbers] = await sql<Numbers[]>`
    select coalesce(s.purchased_seats, 0) as purchased_seats, o.seat_limit,
      o.members_count as members, o.pending_invitations_count as invitations, o.seats_used,
      c.remaining_seats as available, c.can_add
    from public.organizations as o
    left join public.organization_subscriptions as s on s.organization_id = o.id
    cross join lateral public.check_organization_capacity(o.id) as c
    where o.clerk_org_id = ${clerkOrgId}`;
  return numbers ?? {
    purchased_seats: 0,
    seat_limit: 0,
    members: 0,
    invitations: 0,
    seats_used: 0,
    available: 0,
    can_add: false,
  };
}

/**
 * An organization's rows: everything that repeated events must leave as it is. Who invited someone is
 * not among it, since Clerk's lists, by which sync heals, do not say it, and a late event does; nor
 * is the limit that Clerk has, which follows after the answer.
 */
export async function readRows(sql: postgres.Sql, clerkOrgId: string): Promise<unknown> {
  const [rows] = await sql`
    select
      (select to_jsonb(o) - '{updated_at,last_synced_at,clerk_updated_at,clerk_limit_pushed}'::text[]
       from public.organizations as o where o.id = org.id) as organization,
      (select to_jsonb(s) - 'updated_at' from public.organization_subscriptions as s
       where s.organization_id = org.id) as subscription,
      (select jsonb_agg(to_jsonb(m) - '{updated_at,clerk_updated_at}'::text[] order by m.id)
       from public.organization_members as m where m.organization_id = org.id) as members,
      (select jsonb_agg(to_jsonb(i) - '{updated_at,clerk_updated_at,invited_by}'::text[] order by i.id)
       from public.organization_invitations as i where i.organization_id = org.id) as invitations,
      (select count(*) from public.billing_changes as b where b.organization_id = org.id) as booked
    from public.organizations as org
    where org.clerk_org_id = ${clerkOrgId}`;
  return rows;
}
