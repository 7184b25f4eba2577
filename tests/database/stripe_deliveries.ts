import assert from "node:assert/strict";
import type { Stripe } from "stripe";
import { only, type Sql } from "./connection.ts";
import type { Organization } from "./organizations.ts";
import type { StripeEvent } from "./stripe_events.ts";

/** What `apply_stripe_event()` returns. */
export interface StripeOutcome {
  readonly outcome: "applied" | "duplicate" | "stale" | "ignored" | "ask_stripe";
  readonly reason?: string;
  readonly organizationId?: string;
  readonly seatLimit?: number;
  readonly seatsUsed?: number;
  readonly alert?: string;
  readonly subscriptionId?: string;
  readonly version?: number;
}

/** What Stripe says when it is asked: the subscription, null when it does not know it. */
export interface Reading {
  readonly readAt: number;
  readonly subscription: Stripe.Subscription | null;
}

/** How often the database may ask about one event before this counts as going round in circles. */
const ASK_LIMIT = 5;

/** Hands over one event, with Stripe's answer if the database has asked for one. */
export async function applyStripeEvent(
  sql: Sql,
  event: { readonly type: string },
  answer: Reading & { readonly version: number } | null = null,
): Promise<StripeOutcome> {
  const rows = await sql<{ outcome: StripeOutcome }[]>`
    select public.apply_stripe_event(${JSON.stringify(event)}::text::jsonb, ${
    answer === null ? null : JSON.stringify(answer)
  }::text::jsonb) as outcome`;
  return only(rows).outcome;
}

/** Delivers one event as stripe-webhook does: as often as the database asks, Stripe is read. */
export async function deliverStripeEvent(
  sql: Sql,
  event: StripeEvent,
  read: () => Reading,
): Promise<StripeOutcome> {
  let outcome = await applyStripeEvent(sql, event);
  for (let asked = 0; outcome.outcome === "ask_stripe"; asked++) {
    assert(asked < ASK_LIMIT, "Stripe is asked again and again");
    const { version } = outcome;
    assert(version !== undefined);
    outcome = await applyStripeEvent(sql, event, { version, ...read() });
  }
  return outcome;
}

/** A Stripe that knows nothing of any subscription: events made elsewhere. */
export function silence(): Reading {
  return { readAt: Math.floor(Date.now() / 1000), subscription: null };
}

/** Ties an organization's Stripe customer to it, as the checkout does before any event. */
export async function attachCustomer(
  sql: Sql,
  { id, stripeCustomerId }: Organization,
): Promise<string> {
  const rows = await sql<{ customer: string }[]>`
    select public.attach_stripe_customer(${id}, ${stripeCustomerId}, 'user_admin') as customer`;
  return only(rows).customer;
}
