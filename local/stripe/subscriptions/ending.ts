import type { Stripe } from "stripe";
import type { Account } from "../account.ts";
import { invalidRequest } from "../api/errors.ts";
import { close, idOf, putInvoice, waitingItems } from "../invoices/lifecycle.ts";
import { subscriptionIdOf } from "./collection.ts";
import { discardPending } from "./pending_update.ts";
import { changeSubscription } from "./subscription.ts";

/** Why a subscription is cancelled, in Stripe's words and in the customer's. */
export type Cancellation = Partial<Stripe.Subscription.CancellationDetails>;

/**
 * Ends a subscription at once. What waits for an invoice is given up, and nothing that is open is
 * collected any more.
 */
export function cancelNow(
  account: Account,
  subscription: Stripe.Subscription,
  details: Cancellation,
): Stripe.Subscription {
  const now = account.clock.now();
  const before = discardPending(account, subscription);
  for (const item of waitingItems(account, before.id)) {
    delete account.state.invoiceItems[item.id];
    account.emit("invoiceitem.deleted", item);
  }
  for (const invoice of Object.values(account.state.invoices)) {
    if (invoice.status === "open" && subscriptionIdOf(invoice) === before.id) {
      putInvoice(account, { ...invoice, auto_advance: false, next_payment_attempt: null });
    }
  }
  const canceled: Stripe.Subscription = {
    ...before,
    // Cancelled at the period's end, it keeps the moment at which that was asked for.
    canceled_at: before.canceled_at ?? now,
    cancellation_details: cancellationDetails(before, details),
    ended_at: now,
    status: "canceled",
  };
  account.state.subscriptions.put(canceled);
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

/** What changes when a subscription is to end with its period, or no longer is. */
export function cancellationAtEnd(
  account: Account,
  subscription: Stripe.Subscription,
  isToEnd: boolean,
  said: Cancellation = {},
): Partial<Stripe.Subscription> {
  const end = Math.max(...subscription.items.data.map((item) => item.current_period_end));
  return {
    cancel_at: isToEnd ? end : null,
    cancel_at_period_end: isToEnd,
    canceled_at: isToEnd ? account.clock.now() : null,
    cancellation_details: cancellationDetails(subscription, {
      ...said,
      reason: isToEnd ? "cancellation_requested" : null,
    }),
  };
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
