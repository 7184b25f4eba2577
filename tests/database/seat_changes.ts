import assert from "node:assert/strict";
import { only, type Sql } from "./connection.ts";
import type { Organization } from "./organizations.ts";
import { randomId } from "./random_id.ts";
import type { Lease } from "./sync_leases.ts";
import { second, type StripeSubscription, subscriptionObject } from "./paid_subscriptions.ts";

/** What somebody wants to be paid for. */
export interface Wish {
  readonly seats: number | null;
  readonly plan?: string;
  readonly billingPeriod?: string;
  /** ISO. */
  readonly prorationDate?: string;
  /** By the caller's clock, ISO; Postgres's own unless given. */
  readonly now?: string;
  /** The Idempotency-Key; a new one unless given. */
  readonly key?: string;
  readonly actor?: string;
  /** Clerk's id of the organization that the token is for; the organization's own unless given. */
  readonly clerkOrgId?: string | null;
}

/** A change as clients see it. */
export interface Change {
  readonly seatChangeId: string;
  readonly state: string;
  readonly kind: string;
  readonly seats: number;
  readonly plan: string;
  readonly billingPeriod: string;
  readonly effectiveAt: string | null;
  readonly paymentUrl: string | null;
  readonly error: string | null;
}

/** What `start_seat_change()` returns. */
export interface StartedChange extends Change {
  readonly subscriptionId: string;
  readonly itemId: string;
  readonly version: number;
  readonly lookupKey: string;
  readonly prorationDate: number;
  /** Whether a new billing period begins with it. */
  readonly startsPeriod: boolean;
  readonly isNew: boolean;
  readonly periodEnd: number;
}

/** Starts a change, as manage-seats would. */
export async function startChange(
  sql: Sql,
  organization: Pick<Organization, "id" | "clerkOrgId">,
  wish: Wish,
): Promise<StartedChange> {
  const { key = randomId("key"), actor = "user_admin" } = wish;
  const clerkOrgId = wish.clerkOrgId === undefined ? organization.clerkOrgId : wish.clerkOrgId;
  const rows = await sql<{ change: StartedChange }[]>`
    select public.start_seat_change(
      ${organization.id}, ${clerkOrgId}, ${wish.seats}, ${key}, ${actor}, ${wish.plan ?? null},
      ${wish.billingPeriod ?? null}, ${wish.prorationDate ?? null},
      coalesce(${wish.now ?? null}, clock_timestamp())
    ) as change`;
  return only(rows).change;
}

/** What Stripe has answered a change with. */
export interface StripeAnswer {
  readonly subscription: StripeSubscription;
  /** The version that the answer was asked for at; the change's own unless given. */
  readonly version?: number;
  readonly readAt?: number;
  readonly paymentUrl?: string;
}

/** Settles a change by Stripe's answer, as manage-seats would. */
export async function settleChange(
  sql: Sql,
  { seatChangeId, version }: Pick<StartedChange, "seatChangeId" | "version">,
  answer: StripeAnswer,
): Promise<Change & { readonly version?: number }> {
  const rows = await sql<{ change: Change & { version?: number } }[]>`
    select public.settle_seat_change(${seatChangeId}, ${
    JSON.stringify({
      version: answer.version ?? version,
      readAt: answer.readAt ?? second(0),
      subscription: subscriptionObject(answer.subscription),
      paymentUrl: answer.paymentUrl ?? null,
    })
  }::text::jsonb) as change`;
  return only(rows).change;
}

/** Takes a change back, since Stripe has refused it. */
export async function refuseChange(
  sql: Sql,
  { seatChangeId }: Pick<StartedChange, "seatChangeId">,
  error = "card_declined",
): Promise<Change> {
  const rows = await sql<{ change: Change }[]>`
    select public.settle_seat_change(${seatChangeId}, '{}', ${error}) as change`;
  return only(rows).change;
}

/** Starts a change that Stripe makes at once; resolves to how it ended and Stripe's new state. */
export async function makeChange(
  sql: Sql,
  organization: Organization,
  wish: Wish & { readonly seats: number },
  before: StripeSubscription,
): Promise<{ change: Change; subscription: StripeSubscription }> {
  const started = await startChange(sql, organization, wish);
  const subscription = changedBy(started, before);
  return { change: await settleChange(sql, started, { subscription }), subscription };
}

/** A subscription as Stripe has it once it has made a change. */
export function changedBy(
  { seats, plan, billingPeriod }: Change,
  before: StripeSubscription,
): StripeSubscription {
  assert(billingPeriod === "monthly" || billingPeriod === "yearly");
  return { ...before, quantity: seats, plan, billingPeriod };
}

/** What is paid for, as Postgres has it. */
export interface Standing {
  readonly status: string;
  readonly plan: string | null;
  readonly purchased: number;
  readonly renewal: number | null;
}

/** Reads what is paid for. Asserts that the limit follows it: invariant 1. */
export async function standingOf(sql: Sql, { id }: { readonly id: string }): Promise<Standing> {
  const { limit, planOfOrganization, ...standing } = only(
    await sql<(Standing & { limit: number; planOfOrganization: string | null })[]>`
      select s.status, s.plan, s.purchased_seats as purchased, s.renewal_seats as renewal,
        o.seat_limit as limit, o.subscription_plan as "planOfOrganization"
      from public.organizations as o
      join public.organization_subscriptions as s on s.organization_id = o.id
      where o.id = ${id}`,
  );
  assert.deepEqual([limit, planOfOrganization], [standing.purchased, standing.plan]);
  return standing;
}

/** Asserts what is paid for; a field left out may be anything. */
export async function assertStanding(
  sql: Sql,
  organization: { readonly id: string },
  expected: Partial<Standing>,
): Promise<void> {
  const standing = await standingOf(sql, organization);
  assert.deepEqual({ ...standing, ...expected }, standing);
}

/** The states of an organization's changes, oldest first. */
export async function changesOf(
  sql: Sql,
  { id }: { readonly id: string },
): Promise<readonly { readonly kind: string; readonly seats: number; readonly state: string }[]> {
  const rows = await sql<{ kind: string; seats: number; state: string }[]>`
    select kind, seats, state from public.seat_changes
    where organization_id = ${id} order by created_at`;
  return rows.map((row) => ({ ...row }));
}

/** How a change stands. */
export async function changeOf(
  sql: Sql,
  { seatChangeId }: Pick<Change, "seatChangeId">,
): Promise<{ readonly state: string; readonly paymentUrl: string | null; error: string | null }> {
  const rows = await sql<{ state: string; paymentUrl: string | null; error: string | null }[]>`
    select state, payment_url as "paymentUrl", error from public.seat_changes
    where id = ${seatChangeId}`;
  return { ...only(rows) };
}

/** A difference that a sync has repaired. */
export interface Drift {
  readonly kind: string;
  readonly id: string | null;
  readonly was: string | null;
  readonly is: string | null;
}

/** Leases an organization, as a sweep does before it looks at Stripe. */
export async function leaseOf(sql: Sql, { id, clerkOrgId }: Organization): Promise<Lease> {
  const rows = await sql<{ lease: Lease }[]>`
    select to_jsonb(l) as lease
    from public.claim_organization_sync(${id}, ${clerkOrgId}, 120) as l`;
  return only(rows).lease;
}

/**
 * Brings a leased organization into agreement with Stripe, which has these subscriptions and, unless
 * told otherwise, will take an open change no more.
 */
export async function reconcile(
  sql: Sql,
  lease: Lease,
  subscriptions: readonly StripeSubscription[],
  { fencedChangeId = lease.open_change_id }: { fencedChangeId?: string | null } = {},
): Promise<readonly Drift[]> {
  const stripe = {
    readAt: second(0),
    subscriptions: subscriptions.map(subscriptionObject),
    fencedChangeId,
  };
  const rows = await sql<{ summary: { drift: readonly Drift[] } }[]>`
    select public.reconcile_organization(
      ${JSON.stringify(lease)}::text::jsonb, null, ${JSON.stringify(stripe)}::text::jsonb, 'sync'
    ) as summary`;
  return only(rows).summary.drift;
}

/** One sweep of an organization. */
export async function sweep(
  sql: Sql,
  organization: Organization,
  ...subscriptions: StripeSubscription[]
): Promise<readonly Drift[]> {
  return await reconcile(sql, await leaseOf(sql, organization), subscriptions);
}

/** A row of the account book about what is paid for. */
export interface Booking {
  readonly actor: string;
  readonly cause: string;
  readonly before: Readonly<Record<string, unknown>> | null;
  readonly after: Readonly<Record<string, unknown>> | null;
}

/** What the account book says of what was paid for, oldest first. */
export async function bookingsOf(
  sql: Sql,
  { id }: { readonly id: string },
): Promise<readonly Booking[]> {
  const rows = await sql<Booking[]>`
    select actor, cause, before, after from public.billing_changes
    where organization_id = ${id} and kind = 'subscription' order by id`;
  return rows.map((row) => ({ ...row }));
}
