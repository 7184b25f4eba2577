import type Stripe from "stripe";
import { available, given, type State, used } from "./model.ts";
import type { Terms } from "./terms.ts";
import { ROLES, type World } from "./world.ts";
import { readClerkLists } from "../../local/demo/clerk_lists.ts";

/** What Stripe and Clerk have of an organization. */
export interface Outside {
  readonly members: readonly string[];
  readonly invited: readonly string[];
  /** Those of them whose role takes no seat. */
  readonly seatless: readonly string[];
  readonly subscription: {
    /** What the next invoice will bill. */
    readonly terms: Terms;
    readonly awaits: boolean;
    readonly status: string;
    readonly isEnding: boolean;
  } | null;
  /** The totals of the paid invoices, in cents. */
  readonly charged: readonly number[];
  readonly credit: number;
}

/** What Stripe and Clerk have to have, as the model goes. */
export function expectedOutside(state: State): Outside {
  const { subscription } = state;
  return {
    members: state.members.toSorted(),
    invited: state.invited.toSorted(),
    seatless: seatlessOf(state),
    subscription: subscription && {
      terms: subscription.next,
      awaits: subscription.awaiting !== null,
      status: subscription.overdue === null
        ? "active"
        : subscription.overdue.isGivenUp
        ? "unpaid"
        : "past_due",
      isEnding: subscription.ending,
    },
    charged: state.charged.toSorted((a, b) => a - b),
    credit: state.credit,
  };
}

function seatlessOf({ members, invited, seatless }: State): string[] {
  return seatless.filter((one) => members.includes(one) || invited.includes(one)).sort();
}

/** Asks Stripe and Clerk. */
export async function readOutside(world: World): Promise<Outside> {
  const [people, money] = await Promise.all([readClerk(world), readStripe(world)]);
  return { ...people, ...money };
}

async function readClerk(
  { clients: { clerk }, organization: { clerkId: organizationId } }: World,
): Promise<Pick<Outside, "members" | "invited" | "seatless">> {
  try {
    const lists = await readClerkLists(clerk.client, organizationId);
    const inside = lists.members.map(({ publicUserData, role }) => ({
      email: publicUserData?.identifier ?? "",
      role,
    }));
    const invited = lists.invitations.map(({ emailAddress: email, role }) => ({ email, role }));
    const addresses = (people: typeof inside) => people.map(({ email }) => email).sort();
    return {
      members: addresses(inside),
      invited: addresses(invited),
      seatless: addresses([...inside, ...invited].filter(({ role }) => role === ROLES.auditor)),
    };
  } catch (error) {
    if ((error as { status?: number }).status === 404) {
      return { members: [], invited: [], seatless: [] };
    }
    throw error;
  }
}

async function readStripe(
  world: World,
): Promise<Pick<Outside, "subscription" | "charged" | "credit">> {
  const { stripe } = world.clients;
  const found = await customerOf(world);
  if (found === null) return { subscription: null, charged: [], credit: 0 };
  const { id: customer, balance } = found;
  const [subscriptions, invoices] = await Promise.all([
    stripe.subscriptions.list({ customer }),
    stripe.invoices.list({ customer, status: "paid", limit: 100 }),
  ]);
  const [alive, ...others] = subscriptions.data;
  if (others.length > 0) throw new Error("The customer pays for two subscriptions");
  const item = alive?.items.data[0];
  const [, plan, billingPeriod] = item?.price.lookup_key?.split("_") ?? [];
  return {
    subscription: alive === undefined ? null : {
      terms: { plan, billingPeriod, seats: item?.quantity } as Terms,
      awaits: alive.pending_update !== null,
      status: alive.status,
      isEnding: alive.cancel_at_period_end,
    },
    charged: invoices.data.map(({ total }) => total).sort((a, b) => a - b),
    credit: -balance || 0,
  };
}

/** The organization's customer at Stripe, null before its first checkout. */
export async function customerOf(
  { clients: { stripe }, organization: { id } }: World,
): Promise<Stripe.Customer | null> {
  // Those of the histories before have gone.
  const { data } = await stripe.customers.list({ limit: 100 });
  const own = data.filter(({ metadata }) => metadata["organization_id"] === id);
  if (own.length > 1) throw new Error("The organization has several customers");
  return own[0] ?? null;
}

/** The organization's subscription at Stripe; throws where none is alive. */
export async function aliveSubscription(world: World): Promise<Stripe.Subscription> {
  const customer = (await customerOf(world))?.id ?? "";
  const { data: [alive] } = await world.clients.stripe.subscriptions.list({
    customer,
    expand: ["data.latest_invoice"],
  });
  if (alive === undefined) throw new Error("There is no subscription");
  return alive;
}

/** What Postgres has of an organization. */
export interface Inside {
  readonly members: readonly string[];
  readonly invited: readonly string[];
  readonly requested: readonly string[];
  readonly seatless: readonly string[];
  readonly used: number;
  /** Null where the organization is gone: what it pays for matters to nobody. */
  readonly seats: {
    readonly purchased: number;
    readonly limit: number;
    readonly available: number;
    readonly plan: string | null;
  } | null;
}

/** What Postgres has to have, as the model goes, when it has heard of everything. */
export function expectedInside(state: State): Inside {
  const paid = given(state);
  const purchased = paid?.seats ?? 0;
  return {
    members: state.members.toSorted(),
    invited: state.invited.toSorted(),
    requested: state.requested.toSorted(),
    seatless: seatlessOf(state),
    used: used(state),
    seats: state.deleted ? null : {
      purchased,
      limit: purchased,
      available: available(state),
      plan: paid?.plan ?? null,
    },
  };
}

/** Asks Postgres, for plain rows; what has expired is over, whether or not a row says so. */
export async function readInside(
  { clients: { sql }, organization: { id } }: World,
): Promise<Inside> {
  const [row] = await sql<Inside[]>`
    select
      to_jsonb(array(select email from public.organization_members
        where organization_id = o.id and status = 'active' order by 1)) as members,
      to_jsonb(array(select email from public.organization_invitations
        where organization_id = o.id and status in ('reserved', 'pending', 'accepted')
        order by 1)) as invited,
      to_jsonb(array(select email from public.organization_members
        where organization_id = o.id and status = 'requested' order by 1)) as requested,
      to_jsonb(array(select email from public.organization_members
        where organization_id = o.id and role = ${ROLES.auditor} and status = 'active'
        union select email from public.organization_invitations
        where organization_id = o.id and role = ${ROLES.auditor}
          and status in ('reserved', 'pending', 'accepted'))) as seatless,
      o.seats_used as used,
      case when o.deleted_at is null then jsonb_build_object(
        'purchased', coalesce(s.purchased_seats, 0),
        'limit', o.seat_limit,
        'available', coalesce(least(s.purchased_seats, s.renewal_seats), 0) - o.seats_used,
        'plan', case when s.purchased_seats > 0 then s.plan end
      ) end as seats
    from public.organizations as o
    left join public.organization_subscriptions as s on s.organization_id = o.id
    where o.id = ${id}`;
  if (row === undefined) throw new Error("Postgres does not have the organization");
  const { members, invited, requested, seatless, ...numbers } = row;
  return {
    members: members.toSorted(),
    invited: invited.toSorted(),
    requested: requested.toSorted(),
    seatless: seatless.toSorted(),
    ...numbers,
  };
}
