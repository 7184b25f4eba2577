import { only, type Sql } from "./connection.ts";
import { makeOrganization, type Organization } from "./organizations.ts";
import { randomId } from "./random_id.ts";

/** A seat subscription as Stripe has it at a moment. Times are seconds since 1970. */
export interface StripeSubscription {
  readonly id: string;
  readonly itemId: string;
  readonly customer: string;
  readonly status: string;
  readonly plan: string;
  readonly billingPeriod: "monthly" | "yearly";
  readonly quantity: number;
  readonly created: number;
  readonly periodStart: number;
  readonly periodEnd: number;
  /** Whether a change waits for its payment. */
  readonly pendingUpdate: boolean;
  readonly cancelAtPeriodEnd: boolean;
}

/** Stripe's page to pay the latest invoice on. */
export const INVOICE_PAGE = "https://pay.example/in_1";

const DAY = 24 * 60 * 60;
const NOW = Math.floor(Date.now() / 1000);

/** A moment of Stripe's: so many seconds after the tests began. */
export function second(count: number): number {
  return NOW + count;
}

/** A subscription that has been paid for, in the first days of its second month. */
export function paidSubscription(
  { stripeCustomerId }: Organization,
  differing: Partial<StripeSubscription> = {},
): StripeSubscription {
  return {
    id: randomId("sub"),
    itemId: randomId("si"),
    customer: stripeCustomerId,
    status: "active",
    plan: "pro",
    billingPeriod: "monthly",
    quantity: 10,
    created: NOW - 33 * DAY,
    periodStart: NOW - 3 * DAY,
    periodEnd: NOW + 27 * DAY,
    pendingUpdate: false,
    cancelAtPeriodEnd: false,
    ...differing,
  };
}

/** The same subscription in its next period. */
export function renewed(subscription: StripeSubscription): StripeSubscription {
  const { periodStart, periodEnd } = subscription;
  return {
    ...subscription,
    periodStart: periodEnd,
    periodEnd: periodEnd + (periodEnd - periodStart),
  };
}

/** The subscription as Stripe writes it, its latest invoice expanded. */
export function subscriptionObject(subscription: StripeSubscription): object {
  const { plan, billingPeriod, pendingUpdate, periodEnd } = subscription;
  return {
    id: subscription.id,
    object: "subscription",
    customer: subscription.customer,
    status: subscription.status,
    created: subscription.created,
    cancel_at_period_end: subscription.cancelAtPeriodEnd,
    cancel_at: subscription.cancelAtPeriodEnd ? periodEnd : null,
    pending_update: pendingUpdate ? { expires_at: periodEnd } : null,
    metadata: {},
    items: {
      object: "list",
      data: [{
        id: subscription.itemId,
        object: "subscription_item",
        quantity: subscription.quantity,
        current_period_start: subscription.periodStart,
        current_period_end: periodEnd,
        price: {
          lookup_key: `seatkeeper_${plan}_${billingPeriod}`,
          recurring: { interval: billingPeriod === "monthly" ? "month" : "year" },
        },
      }],
    },
    latest_invoice: {
      id: "in_1",
      status: pendingUpdate ? "open" : "paid",
      billing_reason: "subscription_cycle",
      hosted_invoice_url: INVOICE_PAGE,
    },
  };
}

/** What `apply_stripe_event()` returns. */
export interface StripeOutcome {
  readonly outcome: "applied" | "duplicate" | "stale" | "ignored" | "ask_stripe";
  readonly version?: number;
  readonly reason?: string;
  readonly seatLimit?: number;
  readonly alert?: string;
}

/** An event about a subscription. */
export interface SubscriptionEvent {
  readonly id: string;
  readonly type: string;
  readonly created: number;
  readonly subscription: StripeSubscription;
}

/** An event that Stripe made at a moment, `customer.subscription.updated` unless said. */
export function subscriptionEvent(
  subscription: StripeSubscription,
  created: number,
  type = "updated",
): SubscriptionEvent {
  return { id: randomId("evt"), type: `customer.subscription.${type}`, created, subscription };
}

/**
 * Delivers an event. When the database wants to know Stripe's truth, it is told what `now` is: the
 * event's own state unless said.
 */
export async function applySubscriptionEvent(
  sql: Sql,
  event: SubscriptionEvent,
  now: { readonly subscription: StripeSubscription; readonly at: number } = {
    subscription: event.subscription,
    at: event.created,
  },
): Promise<StripeOutcome> {
  const body = {
    id: event.id,
    type: event.type,
    created: event.created,
    data: { object: subscriptionObject(event.subscription) },
  };
  const first = await apply(sql, body, null);
  if (first.outcome !== "ask_stripe") return first;
  return await apply(sql, body, {
    version: first.version,
    readAt: now.at,
    subscription: subscriptionObject(now.subscription),
  });
}

async function apply(sql: Sql, event: object, answer: object | null): Promise<StripeOutcome> {
  const rows = await sql<{ outcome: StripeOutcome }[]>`
    select public.apply_stripe_event(
      ${JSON.stringify(event)}::text::jsonb, ${answer && JSON.stringify(answer)}::text::jsonb
    ) as outcome`;
  return only(rows).outcome;
}

/** Gives an organization its Stripe customer and this subscription, as the webhook would have. */
export async function subscribe(
  sql: Sql,
  organization: Organization,
  differing: Partial<StripeSubscription> = {},
): Promise<StripeSubscription> {
  await sql`
    select public.attach_stripe_customer(
      ${organization.id}, ${organization.stripeCustomerId}, 'user_admin')`;
  const subscription = paidSubscription(organization, differing);
  await applySubscriptionEvent(sql, subscriptionEvent(subscription, second(-100), "created"));
  return subscription;
}

/** An organization of 4 people with a paid subscription. */
export interface Subscribed {
  readonly organization: Organization;
  readonly subscription: StripeSubscription;
}

/**
 * Makes an organization of 4 people with a paid subscription, of 10 seats of plan pro unless said. It
 * stands in the queue of the sweep: only for a transaction that is rolled back.
 */
export async function subscribed(
  sql: Sql,
  differing: Partial<StripeSubscription> = {},
): Promise<Subscribed> {
  const organization = await makeOrganization(sql, { members: 4, queued: true });
  return { organization, subscription: await subscribe(sql, organization, differing) };
}
