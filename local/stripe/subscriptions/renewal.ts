import type { Stripe } from "stripe";
import type { Account } from "../account.ts";
import { invalidRequest } from "../api/errors.ts";
import type { ChargeOutcome } from "../customers/cards.ts";
import { charge } from "../customers/payment_method.ts";
import { periodLines } from "../invoices/invoice_lines.ts";
import { close, createDraft, finalize } from "../invoices/lifecycle.ts";
import { collect } from "./collection.ts";
import { cancelNow } from "./ending.ts";
import { periodFrom } from "./periods.ts";
import { billable, changeSubscription, paymentMethodOf, subscriptionOf } from "./subscription.ts";

/** How a renewal's payment goes: as the saved card decides, or as a test wants it. */
export type RenewalPayment = "card" | ChargeOutcome;

/**
 * The current period is over: the subscription ends if that was asked for, otherwise the next period
 * is billed. The clock stays where it is; the new period begins where the old one ended.
 */
export function endPeriod(
  account: Account,
  subscription: Stripe.Subscription,
  payment: RenewalPayment,
): Stripe.Subscription {
  if (subscription.status === "trialing") return endTrial(account, subscription, payment);
  if (!["active", "past_due", "unpaid"].includes(subscription.status)) {
    throw invalidRequest(`The subscription ${subscription.id} is ${subscription.status}.`);
  }
  if (subscription.cancel_at_period_end) return cancelNow(account, subscription, {});
  const end = Math.min(...subscription.items.data.map((item) => item.current_period_end));
  const start = Math.min(...subscription.items.data.map((item) => item.current_period_start));
  const items = subscription.items.data.map((item) =>
    item.current_period_end === end
      ? withPeriod(item, end, subscription.billing_cycle_anchor)
      : item
  );
  const renewed = items.filter((item) => item.current_period_start === end);
  return bill(account, subscription, { items, renewed, period: { start, end }, payment, also: {} });
}

/** The trial is over now: the first paid period begins. */
export function endTrial(
  account: Account,
  subscription: Stripe.Subscription,
  payment: RenewalPayment,
): Stripe.Subscription {
  if (subscription.status !== "trialing") {
    throw invalidRequest(`The subscription ${subscription.id} is not in a trial.`);
  }
  if (subscription.cancel_at_period_end) return cancelNow(account, subscription, {});
  const now = account.clock.now();
  const isUnpayable = paymentMethodOf(account, subscription) === null && payment === "card";
  const otherwise = subscription.trial_settings?.end_behavior.missing_payment_method;
  if (isUnpayable && otherwise === "cancel") return cancelNow(account, subscription, {});
  if (isUnpayable && otherwise === "pause") {
    const paused = changeSubscription(account, subscription, { trial_end: now, status: "paused" });
    account.emit("customer.subscription.paused", paused);
    return paused;
  }
  const items = subscription.items.data.map((item) => withPeriod(item, now, now));
  return bill(account, subscription, {
    items,
    renewed: items,
    period: { start: subscription.trial_start ?? now, end: now },
    payment,
    also: { billing_cycle_anchor: now, status: "active", trial_end: now },
  });
}

interface Renewal {
  items: Stripe.SubscriptionItem[];
  /** Those of them that begin a new period. */
  renewed: Stripe.SubscriptionItem[];
  /** The period that is over. */
  period: { start: number; end: number };
  payment: RenewalPayment;
  /** What else changes on the subscription. */
  also: Partial<Stripe.Subscription>;
}

function bill(account: Account, before: Stripe.Subscription, renewal: Renewal) {
  const { items, renewed, period, payment } = renewal;
  const subscription = { ...before, ...renewal.also, items: { ...before.items, data: items } };
  const draft = createDraft(account, {
    subscription,
    reason: "subscription_cycle",
    period,
    lines: (invoice) =>
      renewed.flatMap((item) => periodLines(billable(account, item), invoice, subscription)),
  });
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
    const method = paymentMethodOf(account, subscription);
    collect(account, invoice, payment === "card" ? charge(account, method, false) : payment);
  }
  return subscriptionOf(account, before.id);
}

function withPeriod(
  item: Stripe.SubscriptionItem,
  start: number,
  anchor: number,
): Stripe.SubscriptionItem {
  const period = periodFrom(start, anchor, item.plan);
  return { ...item, current_period_start: period.start, current_period_end: period.end };
}
