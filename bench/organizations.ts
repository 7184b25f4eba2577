import type postgres from "postgres";

/** An organization that the bench has filled in. */
export interface FilledOrganization {
  readonly n: number;
  readonly id: string;
  readonly clerkOrgId: string;
}

/** What an organization begins with. */
export interface People {
  readonly members: number;
  readonly invitations: number;
}

/** More than any measurement takes. */
export const SEATS = 100_000_000;

/** Organizations of other lines and sizes are told apart by this. */
let groups = 0;

/** A word that no other organizations have in their ids. */
export function newGroup(): string {
  return `b${Date.now().toString(36)}${groups++}`;
}

/**
 * Fills in organizations with numbers from `first` to `last`, each with a paid subscription of plan
 * pro, members and invitations. Past the triggers, as a restored backup comes in: what they would
 * derive is written here. They stand outside the queue of the sweep, since Clerk does not know them.
 */
export async function fillOrganizations(
  sql: postgres.Sql,
  group: string,
  { first, last }: { readonly first: number; readonly last: number },
  { members, invitations }: People,
): Promise<void> {
  await sql.begin(async (sql) => {
    await sql`set local session_replication_role = replica`;
    await sql`
      insert into public.organizations (
        clerk_org_id, name, status, seat_limit, subscription_plan, members_count,
        pending_invitations_count, clerk_limit, clerk_limit_pushed
      )
      select concat('org_', ${group}::text, '_', n), 'Acme', 'approved', ${SEATS}, 'pro', ${members},
        ${invitations}, ${SEATS}, ${SEATS}
      from generate_series(${first}::integer, ${last}::integer) as n`;
    await sql`
      create temporary table filled on commit drop as
      select o.id, concat(${group}::text, '_', n) as word
      from generate_series(${first}::integer, ${last}::integer) as n
      join public.organizations as o on o.clerk_org_id = concat('org_', ${group}::text, '_', n)`;
    await fillSubscriptions(sql);
    await fillPeople(sql, { members, invitations });
    await sql`
      insert into public.billing_changes (
        organization_id, kind, subject, actor, cause, purchased_seats, seats_used
      )
      select id, 'organization', id, 'bench', 'bench', ${SEATS}, ${
      members + invitations
    } from filled`;
  });
}

async function fillSubscriptions(sql: postgres.ISql): Promise<void> {
  await sql`
    insert into public.organization_subscriptions (
      organization_id, stripe_customer_id, stripe_seat_subscription_id, stripe_seat_item_id, status,
      plan, seat_billing_period, purchased_seats, renewal_seats, current_period_end
    )
    select id, 'cus_' || word, 'sub_' || word, 'si_' || word, 'active', 'pro', 'monthly', ${SEATS},
      ${SEATS}, to_timestamp(1900000000)
    from filled`;
  await sql`
    insert into private.stripe_subscriptions (
      stripe_subscription_id, organization_id, stripe_item_id, status, plan, billing_period,
      quantity, current_period_start, current_period_end, first_payment, stripe_created_at, watermark
    )
    select 'sub_' || word, id, 'si_' || word, 'active', 'pro', 'monthly', ${SEATS},
      to_timestamp(1700000000), to_timestamp(1900000000), 'paid', to_timestamp(1700000000),
      to_timestamp(1700000000)
    from filled`;
}

async function fillPeople(sql: postgres.ISql, { members, invitations }: People): Promise<void> {
  await sql`
    insert into public.organization_members (
      organization_id, clerk_membership_id, clerk_user_id, email, status, holds_seat
    )
    select id, concat('orgmem_', word, '_', p), concat('user_', word, '_', p),
      concat('m', p, '_', word, '@example.com'), 'active', true
    from filled cross join generate_series(1, ${members}::integer) as p`;
  await sql`
    insert into public.organization_invitations (
      organization_id, clerk_invitation_id, email, status, holds_seat
    )
    select id, concat('orginv_', word, '_', p), concat('i', p, '_', word, '@example.com'), 'pending',
      true
    from filled cross join generate_series(1, ${invitations}::integer) as p`;
}

/** Enters events into the ledger, as if they had come in the last 90 days. */
export async function fillLedger(sql: postgres.Sql, count: number): Promise<void> {
  const group = newGroup();
  await sql`
    insert into private.webhook_events (provider, event_id, type, occurred_at)
    select 'stripe', concat('evt_', ${group}::text, '_', n), 'invoice.paid',
      now() - interval '90 days' * random()
    from generate_series(1, ${count}::integer) as n`;
}

/** The filled organizations of a group with numbers up to `last`. */
export async function readOrganizations(
  sql: postgres.Sql,
  group: string,
  last: number,
): Promise<readonly FilledOrganization[]> {
  return await sql<FilledOrganization[]>`
    select n, o.id, o.clerk_org_id as "clerkOrgId"
    from generate_series(1, ${last}::integer) as n
    join public.organizations as o on o.clerk_org_id = concat('org_', ${group}::text, '_', n)
    order by n`;
}

/** One of some organizations, by chance. */
export function anyOf<Item>(items: readonly Item[]): Item {
  const item = items[Math.floor(Math.random() * items.length)];
  if (item === undefined) throw new Error("There is nothing to choose from");
  return item;
}
