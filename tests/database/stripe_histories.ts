import type { Stripe } from "stripe";
import type { Sql } from "./connection.ts";
import type { Organization } from "./organizations.ts";
import { randomId } from "./random_id.ts";
import type { Reading } from "./stripe_deliveries.ts";
import {
  inState,
  second,
  type StripeEvent,
  stripeEvent,
  stripeInvoice,
  stripeSession,
  stripeSubscription,
} from "./stripe_events.ts";

/** Events in the order in which they happened, and what Stripe says in the end. */
export interface StripeHistory {
  readonly events: readonly StripeEvent[];
  readonly truth: Stripe.Subscription;
}

/** Somebody to whom a history happens in every transaction anew. */
export function buyer(): Organization {
  return {
    id: crypto.randomUUID(),
    clerkOrgId: randomId("org"),
    stripeCustomerId: randomId("cus"),
  };
}

/** Makes their rows, in the transaction. */
export async function insertBuyer(sql: Sql, organization: Organization): Promise<void> {
  await sql`
    insert into public.organizations (id, clerk_org_id)
    values (${organization.id}, ${organization.clerkOrgId})`;
  await sql`
    insert into public.organization_subscriptions (organization_id, stripe_customer_id)
    values (${organization.id}, ${organization.stripeCustomerId})`;
}

/**
 * Five seats are bought, then there are seven, then six; in the end the subscription is canceled or
 * not. `at` says in which second each of the six events happens.
 */
export function purchase(
  organization: Organization,
  at: readonly [number, number, number, number, number, number?],
): StripeHistory {
  const [created, completed, paid, raised, lowered, canceled] = at.map((count) =>
    second(count ?? 0)
  );
  const first = stripeSubscription(organization, created ?? 0);
  const invoice = { ...stripeInvoice(first, "paid"), id: "in_first" };
  const session = stripeSession(organization, first, {
    created: created ?? 0,
    invoice: invoice.id,
  });
  const events = [
    stripeEvent("customer.subscription.created", inState(first, { quantity: 5 }), created ?? 0),
    stripeEvent("checkout.session.completed", session, completed ?? 0),
    stripeEvent("invoice.paid", invoice, paid ?? 0),
    stripeEvent("customer.subscription.updated", inState(first, { quantity: 7 }), raised ?? 0),
    stripeEvent("customer.subscription.updated", inState(first, { quantity: 6 }), lowered ?? 0),
  ];
  if (canceled === undefined) {
    return { events, truth: inState(first, { quantity: 6, latestInvoice: invoice }) };
  }
  const ended = { quantity: 6, status: "canceled" } as const;
  return {
    events: [
      ...events,
      stripeEvent("customer.subscription.deleted", inState(first, ended), canceled),
    ],
    truth: inState(first, { ...ended, latestInvoice: invoice }),
  };
}

/** Five seats are bought with a payment that takes days: active at once, paid in the end. */
export function delayedPurchase(organization: Organization): StripeHistory {
  const first = stripeSubscription(organization, second(0));
  const invoice = { ...stripeInvoice(first, "open"), id: "in_first" };
  const session = stripeSession(organization, first, { created: second(0), invoice: invoice.id });
  const paid = { ...invoice, status: "paid" as const };
  return {
    events: [
      stripeEvent("customer.subscription.created", inState(first, { quantity: 5 }), second(0)),
      stripeEvent(
        "checkout.session.completed",
        { ...session, payment_status: "unpaid" },
        second(1),
      ),
      stripeEvent("checkout.session.async_payment_succeeded", session, second(200)),
      stripeEvent("invoice.paid", paid, second(200)),
    ],
    truth: inState(first, { quantity: 5, latestInvoice: paid }),
  };
}

/** A subscription that has these quantities, one after the other, at these times. */
export function quantities(
  organization: Organization,
  states: readonly { readonly quantity: number; readonly at: number }[],
): { readonly event: StripeEvent; readonly reading: Reading }[] {
  const [beginning] = states;
  const first = stripeSubscription(organization, second(beginning?.at ?? 0));
  const invoice = { ...stripeInvoice(first, "paid"), id: "in_first" };
  return states.map(({ quantity, at }, index) => ({
    event: stripeEvent(
      `customer.subscription.${index === 0 ? "created" : "updated"}`,
      inState(first, { quantity }),
      second(at),
    ),
    reading: {
      readAt: second(at),
      subscription: inState(first, { quantity, latestInvoice: invoice }),
    },
  }));
}
