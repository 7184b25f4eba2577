import type { Stripe } from "stripe";
import type { Account } from "../account.ts";
import { idOf } from "../invoices/lifecycle.ts";
import { subscriptionIdOf } from "../subscriptions/collection.ts";
import { retryInvoice } from "../subscriptions/dunning.ts";
import { expireIncomplete } from "../subscriptions/ending.ts";
import { expirePending } from "../subscriptions/pending_update.ts";
import { endForGood, endPeriod, endTrial } from "../subscriptions/renewal.ts";
import { TRIAL_WARNING_SECONDS } from "../subscriptions/start.ts";
import { changeSubscription } from "../subscriptions/subscription.ts";

const INCOMPLETE_SECONDS = 23 * 60 * 60;

/** Something that happens when its time comes. */
export interface Due {
  at: number;
  /** `account` is in the time at which it happens. */
  run: (account: Account) => void;
}

/**
 * What happens next to the subscriptions of these customers, up to `until`. Of what falls on one
 * second, that which ends comes before that which begins. `from` is the time that has been reached.
 */
export function nextDue(
  account: Account,
  customers: readonly Stripe.Customer[],
  from: number,
  until: number,
): Due | undefined {
  const ids = new Set(customers.map(({ id }) => id));
  let next: Due | undefined;
  for (const subscription of account.state.subscriptions.values()) {
    if (subscription.ended_at !== null || !ids.has(idOf(subscription.customer))) continue;
    for (const due of dueFor(account, subscription, from)) {
      const at = Math.max(due.at, from);
      if (at <= until && (next === undefined || at < next.at)) next = { ...due, at };
    }
  }
  return next;
}

/** Everything that is to happen to a subscription; of what falls on one second the first counts. */
function dueFor(account: Account, subscription: Stripe.Subscription, from: number): Due[] {
  const { status, pending_update: pending, pause_collection: pause } = subscription;
  const all: (Due | undefined)[] = [
    pending === null ? undefined : {
      at: pending.expires_at,
      run: (account) => expirePending(account, subscription),
    },
    status !== "incomplete" ? undefined : {
      at: subscription.created + INCOMPLETE_SECONDS,
      run: (account) => expireIncomplete(account, subscription),
    },
    typeof pause?.resumes_at !== "number" ? undefined : {
      at: pause.resumes_at,
      run: (account) => changeSubscription(account, subscription, { pause_collection: null }),
    },
    ...trialDue(subscription, from),
    subscription.cancel_at === null ? undefined : {
      at: subscription.cancel_at,
      run: (account) => endForGood(account, subscription, "card"),
    },
    !["active", "past_due", "unpaid"].includes(status) ? undefined : {
      at: Math.min(...subscription.items.data.map((item) => item.current_period_end)),
      run: (account) => endPeriod(account, subscription, "card"),
    },
    ...retriesDue(account, subscription),
  ];
  return all.filter((due) => due !== undefined);
}

function trialDue(subscription: Stripe.Subscription, from: number): Due[] {
  const { status, trial_end: end, cancel_at: cancelAt } = subscription;
  if (status !== "trialing" || end === null) return [];
  const warning = end - TRIAL_WARNING_SECONDS;
  const isOver = cancelAt !== null && cancelAt <= end;
  return [
    ...(warning <= from ? [] : [{
      at: warning,
      run: (account: Account) => {
        account.emit("customer.subscription.trial_will_end", subscription);
      },
    }]),
    ...(isOver ? [] : [{
      at: end,
      run: (account: Account) => {
        endTrial(account, subscription, "card");
      },
    }]),
  ];
}

function retriesDue(account: Account, subscription: Stripe.Subscription): Due[] {
  if (subscription.status !== "past_due") return [];
  return Object.values(account.state.invoices).flatMap((invoice) => {
    const { next_payment_attempt: at, status } = invoice;
    if (status !== "open" || at === null || subscriptionIdOf(invoice) !== subscription.id) {
      return [];
    }
    return [{ at, run: (account: Account) => retryInvoice(account, subscription, invoice) }];
  });
}
