import type { Stripe } from "stripe";
import type { Account } from "../account.ts";
import { invalidRequest } from "../api/errors.ts";
import type { ChargeOutcome } from "../customers/cards.ts";
import { charge } from "../customers/payment_method.ts";
import { close, createDraft, finalize, settle, waitingItems } from "../invoices/lifecycle.ts";
import { collect } from "./collection.ts";
import { cancelNow } from "./ending.ts";
import { expirePending } from "./pending_update.ts";
import { isOverBy, type PlannedRenewal, planRenewal, planTrialEnd } from "./renewal_plan.ts";
import { changeSubscription, noteBilled, paymentMethodOf, subscriptionOf } from "./subscription.ts";

/** How a renewal's payment goes: as the saved card decides, or as a test wants it. */
export type RenewalPayment = "card" | ChargeOutcome;

/**
 * The current period is over: the subscription ends if that was asked for, otherwise the next period
 * is billed, which begins where the old one ended. A clock that is not moved with it stays where it
 * is.
 */
export function endPeriod(
  account: Account,
  before: Stripe.Subscription,
  payment: RenewalPayment,
): Stripe.Subscription {
  if (before.status === "trialing") return endTrial(account, before, payment);
  if (!["active", "past_due", "unpaid"].includes(before.status)) {
    throw invalidRequest(`The subscription ${before.id} is ${before.status}.`);
  }
  const subscription = expirePending(account, before);
  const planned = planRenewal(account, subscription);
  if (isOverBy(subscription, planned.at)) return endForGood(account, subscription, payment);
  return bill(account, subscription, planned, payment);
}

/** The trial is over now: the first paid period begins. */
export function endTrial(
  account: Account,
  before: Stripe.Subscription,
  payment: RenewalPayment,
): Stripe.Subscription {
  if (before.status !== "trialing") {
    throw invalidRequest(`The subscription ${before.id} is not in a trial.`);
  }
  const subscription = expirePending(account, before);
  const now = account.clock.now();
  if (isOverBy(subscription, subscription.trial_end ?? now)) {
    return endForGood(account, subscription, payment);
  }
  const isUnpayable = paymentMethodOf(account, subscription) === null && payment === "card";
  const otherwise = subscription.trial_settings?.end_behavior.missing_payment_method;
  if (isUnpayable && otherwise === "cancel") return cancelNow(account, subscription, {});
  if (isUnpayable && otherwise === "pause") {
    const paused = changeSubscription(account, subscription, { trial_end: now, status: "paused" });
    account.emit("customer.subscription.paused", paused);
    return paused;
  }
  return bill(account, subscription, planTrialEnd(account, subscription, now), payment);
}

/** Ends a subscription as it was asked for. What still waits for an invoice is billed. */
export function endForGood(
  account: Account,
  before: Stripe.Subscription,
  payment: RenewalPayment,
): Stripe.Subscription {
  const subscription = expirePending(account, before);
  if (waitingItems(account, subscription.id).length === 0) {
    return cancelNow(account, subscription, {});
  }
  const now = account.clock.now();
  const draft = createDraft(account, {
    subscription,
    reason: "subscription_cycle",
    period: { start: now, end: now },
    lines: () => [],
  });
  const invoice = finalize(account, draft);
  if (invoice.status === "open") {
    settle(account, invoice, outcomeOf(account, subscription, payment));
  }
  return cancelNow(account, { ...subscription, latest_invoice: draft.id }, {});
}

function bill(
  account: Account,
  before: Stripe.Subscription,
  { after: subscription, renewed, billing }: PlannedRenewal,
  payment: RenewalPayment,
): Stripe.Subscription {
  const draft = createDraft(account, billing);
  noteBilled(account, renewed);
  changeSubscription(account, before, { ...subscription, latest_invoice: draft.id });
  const pause = subscription.pause_collection?.behavior;
  // What an unpaid subscription is billed stays a draft until someone takes care of it.
  if (subscription.status === "unpaid" || pause === "keep_as_draft") {
    return subscriptionOf(account, before.id);
  }
  if (pause !== undefined) {
    close(account, finalize(account, draft), pause === "void" ? "void" : "uncollectible");
    return subscriptionOf(account, before.id);
  }
  const invoice = finalize(account, draft);
  if (invoice.status === "open") {
    collect(account, invoice, outcomeOf(account, subscription, payment));
  }
  return subscriptionOf(account, before.id);
}

function outcomeOf(
  account: Account,
  subscription: Stripe.Subscription,
  payment: RenewalPayment,
): ChargeOutcome {
  if (payment !== "card") return payment;
  return charge(account, paymentMethodOf(account, subscription), false);
}
