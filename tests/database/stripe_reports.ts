import type { Stripe } from "stripe";
import type { Sql } from "./connection.ts";
import { makeOrganization, type Organization } from "./organizations.ts";
import { attachCustomer, deliverStripeEvent, type StripeOutcome } from "./stripe_deliveries.ts";
import {
  inState,
  second,
  stripeEvent,
  stripeInvoice,
  type SubscriptionState,
} from "./stripe_events.ts";

/** An organization whose Stripe customer is known, and that has bought nothing yet. */
export async function makeBuyer(sql: Sql, members = 0): Promise<Organization> {
  const organization = await makeOrganization(sql, { members });
  await attachCustomer(sql, organization);
  return organization;
}

/** Has Stripe report a paid subscription in this state, at this second. */
export async function report(
  sql: Sql,
  subscription: Stripe.Subscription,
  state: SubscriptionState,
  at: number,
): Promise<StripeOutcome> {
  const latestInvoice = stripeInvoice(subscription, "paid");
  return await deliverStripeEvent(
    sql,
    stripeEvent("customer.subscription.updated", inState(subscription, state), second(at)),
    () => ({
      readAt: second(at),
      subscription: inState(subscription, { latestInvoice, ...state }),
    }),
  );
}
