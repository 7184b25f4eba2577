import assert from "node:assert/strict";
import type Stripe from "stripe";
import { readClerkLists } from "../../../../local/demo/clerk_lists.ts";
import type { Clients } from "../../clients.ts";
import { type Customer, forEach } from "./customers.ts";

/** Who and what counts in an organization, by Clerk's ids. */
interface People {
  readonly name: string;
  readonly limit: number;
  /** `id userId role email` */
  readonly members: readonly string[];
  /** `id email role expiry` */
  readonly invitations: readonly string[];
}

/** What an organization has paid for, by Stripe's ids. */
interface Seats {
  readonly subscription: string;
  readonly status: string;
  readonly seats: number;
  readonly periodEnd: number;
  readonly isToEnd: boolean;
}

/** An organization as the providers have it; null without people means that Clerk has deleted it. */
interface State {
  readonly people: People | null;
  readonly seats: Seats | null;
}

/**
 * Asserts that Postgres agrees with Clerk and Stripe about every customer: who is in, who is invited,
 * what is paid for, and the limit in Clerk; and that all numbers are those of the rows.
 */
export async function assertAllAgree(
  clients: Clients,
  customers: readonly Customer[],
): Promise<void> {
  const ours = await inPostgres(clients);
  const paid = await inStripe(clients);
  await forEach(customers, async ({ clerkId, stripeId }) => {
    const people = await inClerk(clients, clerkId);
    const seats = stripeId === null ? null : paid.get(stripeId) ?? null;
    const said = ours.get(clerkId);
    // Of whom Clerk has deleted, nobody asks Stripe any more.
    const expected: State = { people, seats: people === null ? said?.seats ?? null : seats };
    assert.deepEqual(said, expected, `${clerkId} differs`);
  });
  assert.equal(ours.size, customers.length);
}

async function inClerk({ clerk }: Clients, organizationId: string): Promise<People | null> {
  try {
    const [{ name, maxAllowedMemberships: limit }, { members, invitations }] = await Promise.all([
      clerk.client.organizations.getOrganization({ organizationId }),
      readClerkLists(clerk.client, organizationId),
    ]);
    return {
      name,
      limit,
      members: members.map(({ id, publicUserData, role }) =>
        `${id} ${publicUserData?.userId} ${role} ${publicUserData?.identifier}`
      ).sort(),
      invitations: invitations.map(({ id, emailAddress, role, expiresAt }) =>
        `${id} ${emailAddress} ${role} ${expiresAt}`
      ).sort(),
    };
  } catch (error) {
    if (error instanceof Error && "status" in error && error.status === 404) return null;
    throw error;
  }
}

/** The newest subscription of each customer. */
async function inStripe({ stripe }: Clients): Promise<ReadonlyMap<string, Seats>> {
  const newest = new Map<string, Stripe.Subscription>();
  for await (const one of stripe.subscriptions.list({ status: "all", limit: 100 })) {
    const customer = String(one.customer);
    if ((newest.get(customer)?.created ?? 0) <= one.created) newest.set(customer, one);
  }
  const states = [...newest].map(([customer, { id, status, items, cancel_at_period_end }]) => {
    const [item] = items.data;
    assert(item !== undefined);
    const seats = {
      subscription: `${id} ${item.id}`,
      status,
      seats: status === "active" || status === "past_due" ? item.quantity ?? 0 : 0,
      periodEnd: item.current_period_end,
      isToEnd: cancel_at_period_end,
    };
    return [customer, seats] as const;
  });
  return new Map(states);
}

/** Postgres's rows in the providers' words. Asserts on the way what has to hold between its rows. */
async function inPostgres({ sql }: Clients): Promise<ReadonlyMap<string, State>> {
  const rows = await sql<{ clerkId: string; isDeleted: boolean; people: People; seats: Seats }[]>`
    select o.clerk_org_id as "clerkId", o.deleted_at is not null as "isDeleted",
      jsonb_build_object(
        'name', o.name, 'limit', o.clerk_limit_pushed,
        'members', array(
          select concat_ws(' ', clerk_membership_id, clerk_user_id, role, email)
          from public.organization_members
          where organization_id = o.id and status = 'active'),
        'invitations', array(
          select concat_ws(' ', clerk_invitation_id, email, role,
            (extract(epoch from expires_at) * 1000)::bigint)
          from public.organization_invitations
          where organization_id = o.id and status in ('reserved', 'pending', 'accepted'))
      ) as people,
      case when s.stripe_seat_subscription_id is not null then jsonb_build_object(
        'subscription', s.stripe_seat_subscription_id || ' ' || s.stripe_seat_item_id,
        'status', s.status, 'seats', s.purchased_seats,
        'periodEnd', extract(epoch from s.current_period_end)::bigint,
        'isToEnd', s.cancel_at_period_end
      ) end as seats
    from public.organizations as o
    left join public.organization_subscriptions as s on s.organization_id = o.id`;
  const numbers = await sql`
    select o.clerk_org_id as "clerkId",
      jsonb_build_object(
        'seatLimit', o.seat_limit, 'plan', o.subscription_plan, 'clerkLimit', o.clerk_limit,
        'renewalSeats', s.renewal_seats,
        'members', o.members_count, 'pendingInvitations', o.pending_invitations_count
      ) as written,
      jsonb_build_object(
        'seatLimit', coalesce(s.purchased_seats, 0), 'plan', s.plan,
        'clerkLimit', greatest(1, o.seat_limit),
        'renewalSeats',
          case when s.stripe_seat_subscription_id is null then s.renewal_seats else s.purchased_seats end,
        'members', (
          select count(*) from public.organization_members as m
          where m.organization_id = o.id and m.status = 'active'),
        'pendingInvitations', (
          select count(distinct i.email) from public.organization_invitations as i
          where i.organization_id = o.id and i.status in ('reserved', 'pending', 'accepted')
            and not exists (select from public.organization_members as m
              where m.organization_id = o.id and m.status = 'active' and m.email = i.email))
      ) as counted
    from public.organizations as o
    left join public.organization_subscriptions as s on s.organization_id = o.id`;
  for (const { clerkId, written, counted } of numbers) {
    assert.deepEqual(written, counted, `the numbers of ${clerkId} are not those of its rows`);
  }
  return new Map(
    rows.map(({ clerkId, isDeleted, people, seats }) => [
      clerkId,
      { people: isDeleted ? null : sorted(people), seats },
    ]),
  );
}

function sorted({ members, invitations, ...rest }: People): People {
  return { ...rest, members: members.toSorted(), invitations: invitations.toSorted() };
}

const TABLES = [
  "public.organization_members",
  "public.organization_invitations",
  "public.organization_subscriptions",
  "public.seat_changes",
  "public.billing_changes",
  "private.stripe_subscriptions",
];

/**
 * What all rows are, and which transaction wrote each: the same twice means that nothing was written
 * in between. That an organization was compared is written down each time, and left out here.
 */
export async function digestOf({ sql }: Clients): Promise<readonly unknown[]> {
  const digests: unknown[] = [];
  for (const table of TABLES) {
    const rows = await sql.unsafe(
      `select md5(string_agg(t.xmin || t::text, '' order by t::text)) as digest from ${table} as t`,
    );
    digests.push(rows[0]?.["digest"]);
  }
  const organizations = await sql`
    select md5(string_agg((to_jsonb(o) - 'last_synced_at')::text, '' order by id)) as digest
    from public.organizations as o`;
  return [...digests, organizations[0]?.["digest"]];
}
