import type { Stripe } from "stripe";
import type { Account } from "../account.ts";
import { periodLines } from "../invoices/invoice_lines.ts";
import type { Billing } from "../invoices/lifecycle.ts";
import type { Period } from "../invoices/proration.ts";
import { periodFrom } from "./periods.ts";
import { billable } from "./subscription.ts";

/** What the next period of a subscription comes to. */
export interface PlannedRenewal {
  /** When it begins. */
  at: number;
  after: Stripe.Subscription;
  /** The items that begin a new period. */
  renewed: Stripe.SubscriptionItem[];
  billing: Billing;
}

/** Works out the period after the current one. Changes nothing. */
export function planRenewal(
  account: Account,
  subscription: Stripe.Subscription,
): PlannedRenewal {
  const { data } = subscription.items;
  const at = Math.min(...data.map((item) => item.current_period_end));
  const start = Math.min(...data.map((item) => item.current_period_start));
  const items = data.map((item) =>
    item.current_period_end === at ? withPeriod(item, at, subscription.billing_cycle_anchor) : item
  );
  const renewed = items.filter((item) => item.current_period_start === at);
  const after = { ...subscription, items: { ...subscription.items, data: items } };
  return planned(account, after, renewed, { start, end: at });
}

/** Works out the first period after a trial that ends at `at`. Changes nothing. */
export function planTrialEnd(
  account: Account,
  subscription: Stripe.Subscription,
  at: number,
): PlannedRenewal {
  const items = subscription.items.data.map((item) => withPeriod(item, at, at));
  const after: Stripe.Subscription = {
    ...subscription,
    items: { ...subscription.items, data: items },
    billing_cycle_anchor: at,
    status: "active",
    trial_end: at,
  };
  return planned(account, after, items, { start: subscription.trial_start ?? at, end: at });
}

/** Says whether a subscription is to end at this moment or before. */
export function isOverBy(
  { cancel_at_period_end: isAtPeriodEnd, cancel_at: cancelAt }: Stripe.Subscription,
  at: number,
): boolean {
  return isAtPeriodEnd || (cancelAt !== null && cancelAt <= at);
}

function planned(
  account: Account,
  after: Stripe.Subscription,
  renewed: Stripe.SubscriptionItem[],
  period: Period,
): PlannedRenewal {
  return {
    at: period.end,
    after,
    renewed,
    billing: {
      subscription: after,
      reason: "subscription_cycle",
      period,
      lines: (invoice) =>
        renewed.flatMap((item) => periodLines(billable(account, item), invoice, after)),
    },
  };
}

function withPeriod(
  item: Stripe.SubscriptionItem,
  start: number,
  anchor: number,
): Stripe.SubscriptionItem {
  const period = periodFrom(start, anchor, item.plan);
  return { ...item, current_period_start: period.start, current_period_end: period.end };
}
