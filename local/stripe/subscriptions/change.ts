import type { Stripe } from "stripe";
import type { Account } from "../account.ts";
import { cardDeclined, invalidRequest, resourceMissing } from "../api/errors.ts";
import { mergeMetadata } from "../api/params.ts";
import { charge } from "../customers/payment_method.ts";
import { amounts } from "../invoices/invoice.ts";
import { invoiceItemOf, periodLines } from "../invoices/invoice_lines.ts";
import { createDraft, finalize, idOf, waitingItems } from "../invoices/lifecycle.ts";
import { credit, type Proration, prorations } from "../invoices/proration.ts";
import { amountOf } from "../invoices/tiers.ts";
import { recurringPrice } from "../products/price.ts";
import { collect } from "./collection.ts";
import { isSameInterval, periodFrom } from "./periods.ts";
import {
  billable,
  changeSubscription,
  newItem,
  paymentMethodOf,
  planOf,
  subscriptionOf,
} from "./subscription.ts";

/** A change of one item, or, without an id, a new one. */
export interface ItemChange {
  id?: string | undefined;
  price?: string | undefined;
  quantity?: number | undefined;
  deleted?: boolean | undefined;
  metadata?: Record<string, string> | null | undefined;
}

/** How a change of items is billed. */
export interface ChangeTerms {
  behaviour: "create_prorations" | "always_invoice" | "none";
  /** What to do when the immediate payment fails: go on as past_due, or refuse the change. */
  payment: "allow_incomplete" | "error_if_incomplete";
  /** The moment from which prorations count. */
  at: number;
}

/** What a change comes to: the items as they will be, and what it adds to the bill. */
export interface PlannedChange {
  items: Stripe.SubscriptionItem[];
  prorations: Proration[];
  /** The billing interval changes: a new period begins now, and is billed now. */
  startsPeriod: boolean;
}

/** Works out a change of items. Changes nothing. Throws for items and prices that don't exist. */
export function planChange(
  account: Account,
  subscription: Stripe.Subscription,
  changes: readonly ItemChange[],
  terms: ChangeTerms,
): PlannedChange {
  const now = account.clock.now();
  const before = subscription.items.data;
  const changed = changes.reduce((items, change, position) => {
    return changeItem(account, subscription, items, change, position);
  }, before);
  if (changed.length === 0) {
    throw invalidRequest("A subscription must have at least one item.", { param: "items" });
  }
  const startsPeriod = changed.some((item) =>
    before.some(({ id, plan }) => id === item.id && !isSameInterval(plan, item.plan))
  );
  const items = startsPeriod
    ? changed.map((item) => {
      const { start, end } = periodFrom(now, now, item.plan);
      return { ...item, current_period_start: start, current_period_end: end };
    })
    : changed;
  // A trial costs nothing, so there is nothing to set off.
  const isFree = terms.behaviour === "none" || subscription.status === "trialing";
  const was = before.map((item) => billable(account, item));
  const willBe = items.map((item) => billable(account, item));
  const due = startsPeriod
    ? was.map((item) => credit(item, terms.at))
    : prorations(was, willBe, terms.at);
  return { items, startsPeriod, prorations: isFree ? [] : due };
}

/**
 * Carries out a planned change together with `also`. Prorations wait for the next invoice, or are
 * billed at once. Throws card_declined, having changed nothing, where the terms say so.
 */
export function applyChange(
  account: Account,
  before: Stripe.Subscription,
  planned: PlannedChange,
  terms: ChangeTerms,
  also: Partial<Stripe.Subscription> = {},
): Stripe.Subscription {
  const { items, startsPeriod } = planned;
  const now = account.clock.now();
  const after = {
    ...before,
    ...also,
    items: { ...before.items, data: items },
    ...(startsPeriod ? { billing_cycle_anchor: now } : {}),
  };
  const isBilledNow = (startsPeriod && before.status !== "trialing") ||
    (terms.behaviour === "always_invoice" && planned.prorations.length > 0);
  const outcome = charge(account, paymentMethodOf(account, after), false);
  if (
    isBilledNow && terms.payment === "error_if_incomplete" && outcome !== "succeeded" &&
    dueNow(account, after, planned) > 0
  ) {
    throw cardDeclined(outcome, "subscription");
  }
  for (const proration of planned.prorations) {
    const item = invoiceItemOf(proration, after, idOf(after.customer), now);
    account.state.invoiceItems[item.id] = item;
    account.emit("invoiceitem.created", item);
  }
  if (!isBilledNow) return changeSubscription(account, before, after);
  const draft = createDraft(account, {
    subscription: after,
    reason: "subscription_update",
    period: { start: now, end: now },
    lines: (invoice) =>
      startsPeriod
        ? items.flatMap((item) => periodLines(billable(account, item), invoice, after))
        : [],
  });
  changeSubscription(account, before, { ...after, latest_invoice: draft.id });
  const invoice = finalize(account, draft);
  if (invoice.status === "open") collect(account, invoice, outcome);
  return subscriptionOf(account, before.id);
}

function dueNow(
  account: Account,
  subscription: Stripe.Subscription,
  { items, prorations, startsPeriod }: PlannedChange,
): number {
  const period = startsPeriod
    ? items.map((item) => amountOf(billable(account, item), item.quantity ?? 0))
    : [];
  const all = [...period, ...prorations, ...waitingItems(account, subscription.id)];
  const total = all.reduce<number>((sum, one) => {
    return sum + (typeof one === "number" ? one : one.amount);
  }, 0);
  const customer = account.state.customers[idOf(subscription.customer)];
  return amounts(total, customer?.deleted ? 0 : customer?.balance ?? 0).amount_due;
}

function changeItem(
  account: Account,
  subscription: Stripe.Subscription,
  items: Stripe.SubscriptionItem[],
  change: ItemChange,
  position: number,
): Stripe.SubscriptionItem[] {
  const param = `items[${position}]`;
  const price = change.price === undefined
    ? undefined
    : recurringPrice(account, change.price, `${param}[price]`);
  if (price !== undefined && price.currency !== subscription.currency) {
    throw invalidRequest("All prices of a subscription must use the same currency.", {
      param: `${param}[price]`,
    });
  }
  if (change.id === undefined) {
    if (price === undefined) {
      const missing = `${param}[price]`;
      throw invalidRequest(`Missing required param: ${missing}.`, {
        code: "parameter_missing",
        param: missing,
      });
    }
    const now = account.clock.now();
    const { quantity = 1, metadata } = change;
    const period = periodFrom(now, subscription.billing_cycle_anchor, price.recurring);
    const item = newItem({
      subscription: subscription.id,
      price,
      quantity,
      metadata: mergeMetadata({}, metadata),
      period,
      now,
    });
    return [...items, item];
  }
  if (!items.some(({ id }) => id === change.id)) {
    throw resourceMissing("subscription item", change.id, `${param}[id]`);
  }
  if (change.deleted) return items.filter(({ id }) => id !== change.id);
  return items.map((item) =>
    item.id !== change.id ? item : {
      ...item,
      ...(price === undefined ? {} : { price, plan: planOf(price) }),
      quantity: change.quantity ?? item.quantity ?? 1,
      metadata: mergeMetadata(item.metadata, change.metadata),
    }
  );
}
