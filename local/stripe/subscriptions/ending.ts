import type { Stripe } from "stripe";
import type { Account } from "../account.ts";
import { invalidRequest } from "../api/errors.ts";
import { close, idOf } from "../invoices/lifecycle.ts";
import { changeSubscription } from "./subscription.ts";

/** Why a subscription is cancelled, in Stripe's words and in the customer's. */
export type Cancellation = Partial<Stripe.Subscription.CancellationDetails>;

/** Ends a subscription at once. */
export function cancelNow(
  account: Account,
  before: Stripe.Subscription,
  details: Cancellation,
): Stripe.Subscription {
  const now = account.clock.now();
  const canceled: Stripe.Subscription = {
    ...before,
    // Cancelled at the period's end, it keeps the moment at which that was asked for.
    canceled_at: before.canceled_at ?? now,
    cancellation_details: cancellationDetails(before, details),
    ended_at: now,
    status: "canceled",
  };
  account.state.subscriptions[canceled.id] = canceled;
  account.emit("customer.subscription.deleted", canceled);
  return canceled;
}

/** The details of a cancellation, added to what is known. */
export function cancellationDetails(
  { cancellation_details: known }: Stripe.Subscription,
  details: Cancellation,
): Stripe.Subscription.CancellationDetails {
  const none = { comment: null, feedback: null, feedback_option: null, reason: null };
  return { ...none, ...known, ...details };
}

/** The last retry has failed, in an account that is set to keep such subscriptions as unpaid. */
export function markUnpaid(account: Account, subscription: Stripe.Subscription) {
  refuseUnless(subscription, "past_due");
  return changeSubscription(account, subscription, { status: "unpaid" });
}

/** The last retry has failed, in an account that is set to cancel such subscriptions. */
export function cancelForNonPayment(account: Account, subscription: Stripe.Subscription) {
  refuseUnless(subscription, "past_due", "unpaid");
  return cancelNow(account, subscription, { reason: "payment_failed" });
}

/** The first payment has not come within 23 hours. */
export function expireIncomplete(account: Account, subscription: Stripe.Subscription) {
  refuseUnless(subscription, "incomplete");
  const invoice = account.state.invoices[idOf(subscription.latest_invoice)];
  if (invoice !== undefined) close(account, invoice, "void");
  return changeSubscription(account, subscription, {
    ended_at: account.clock.now(),
    status: "incomplete_expired",
  });
}

function refuseUnless({ id, status }: Stripe.Subscription, ...expected: string[]): void {
  if (expected.includes(status)) return;
  throw invalidRequest(`The subscription ${id} is ${status}, not ${expected.join(" or ")}.`);
}
