import type { Stripe } from "stripe";
import type { Account } from "../account.ts";
import { invalidRequest, resourceMissing } from "../api/errors.ts";
import { mergeMetadata } from "../api/params.ts";
import type { Debit } from "../invoices/debits.ts";
import {
  credits,
  debitsAfter,
  type Proration,
  prorations,
  wholeDebit,
} from "../invoices/proration.ts";
import { recurringPrice } from "../products/price.ts";
import { isSameInterval, periodFrom } from "./periods.ts";
import { billable, newItem, planOf } from "./subscription.ts";

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
  /** The moment from which prorations count. */
  at: number;
  /** The billing cycle anchor is reset: a new period begins now, and is billed now. */
  isAnchoredNow: boolean;
}

/** What a change comes to: the items as they will be, and what it adds to the bill. */
export interface PlannedChange {
  items: Stripe.SubscriptionItem[];
  prorations: Proration[];
  /** When a new period begins and is billed; null where the current one goes on. */
  anchor: number | null;
  /** By item, what will have been billed. */
  debits: Record<string, Debit[]>;
  /** Whether the change makes an invoice at once. */
  isBilledNow: boolean;
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
  const isTrial = subscription.status === "trialing";
  const changed = changes.reduce((items, change, position) => {
    return changeItem(account, subscription, items, change, `items[${position}]`);
  }, before);
  if (changed.length === 0) {
    throw invalidRequest("A subscription must have at least one item.", { param: "items" });
  }
  refuseUnclearPeriods(before, changed, isTrial, terms.isAnchoredNow);
  const anchor = terms.isAnchoredNow ? now : null;
  const items = anchor === null ? changed : changed.map((item) => {
    const { start, end } = periodFrom(now, now, item.plan);
    return { ...item, current_period_start: start, current_period_end: end };
  });
  const was = before.map((item) => billable(account, item));
  const willBe = items.map((item) => billable(account, item));
  // A trial costs nothing, so there is nothing to set off.
  const isProrated = terms.behaviour !== "none" && !isTrial;
  const due = anchor === null
    ? prorations(was, willBe, terms.at)
    : was.flatMap((item) => credits(item, terms.at));
  const debitsOf = (item: typeof willBe[number]) =>
    anchor !== null
      ? [wholeDebit(item)]
      : isProrated
      ? debitsAfter(was, item, terms.at)
      : [...was.find(({ id }) => id === item.id)?.debits ?? []];
  return {
    items,
    prorations: isProrated ? due : [],
    anchor,
    debits: Object.fromEntries(willBe.map((item) => [item.id, debitsOf(item)])),
    isBilledNow: anchor !== null ||
      (terms.behaviour === "always_invoice" && isProrated && due.length > 0),
  };
}

/**
 * The moment from which a change is prorated. Throws where it lies outside of the current period, as
 * Stripe demands; a period that a control route has moved away from the present is left out of it.
 */
export function prorationMoment(
  account: Account,
  { items }: Stripe.Subscription,
  wanted: number | undefined,
  param = "proration_date",
): number {
  const now = account.clock.now();
  if (wanted === undefined) return now;
  const start = Math.min(...items.data.map((item) => item.current_period_start));
  const end = Math.max(...items.data.map((item) => item.current_period_end));
  const isWithin = (at: number) => start <= at && at <= end;
  if (isWithin(now) && !isWithin(wanted)) {
    throw invalidRequest(
      `The proration date ${wanted} must be within the current billing period.`,
      { param },
    );
  }
  return wanted;
}

/**
 * In the flexible billing mode nothing but `billing_cycle_anchor` begins a new period. What Stripe
 * does with an item whose interval changes without it is not documented, so it is not emulated.
 */
function refuseUnclearPeriods(
  before: readonly Stripe.SubscriptionItem[],
  after: readonly Stripe.SubscriptionItem[],
  isTrial: boolean,
  isAnchoredNow: boolean,
): void {
  const param = "billing_cycle_anchor";
  if (isTrial && isAnchoredNow) {
    throw invalidRequest("The emulator can't reset the billing cycle of a trial.", { param });
  }
  const changesInterval = after.some((item) =>
    before.some(({ id, plan }) => id === item.id && !isSameInterval(plan, item.plan))
  );
  if (changesInterval && !isTrial && !isAnchoredNow) {
    throw invalidRequest(
      "The emulator changes a price's interval only with billing_cycle_anchor[type]=now: in the " +
        "flexible billing mode the billing cycle is never reset by itself.",
      { param },
    );
  }
}

function changeItem(
  account: Account,
  subscription: Stripe.Subscription,
  items: Stripe.SubscriptionItem[],
  change: ItemChange,
  param: string,
): Stripe.SubscriptionItem[] {
  const price = change.price === undefined
    ? undefined
    : recurringPrice(account, change.price, `${param}[price]`);
  if (price !== undefined && price.currency !== subscription.currency) {
    throw invalidRequest("All prices of a subscription must use the same currency.", {
      param: `${param}[price]`,
    });
  }
  if (change.id === undefined) {
    return [...items, addedItem(account, subscription, price, change, param)];
  }
  if (!items.some(({ id }) => id === change.id)) {
    throw resourceMissing("subscription item", change.id, `${param}[id]`);
  }
  if (change.deleted) return items.filter(({ id }) => id !== change.id);
  return items.map((item) =>
    item.id !== change.id ? item : {
      ...item,
      ...(price === undefined ? {} : { price, plan: planOf(price) }),
      // Another price without a quantity means one of it; see "Change the price of existing
      // subscriptions".
      quantity: change.quantity ??
        (price === undefined || price.id === item.price.id ? item.quantity ?? 1 : 1),
      metadata: mergeMetadata(item.metadata, change.metadata),
    }
  );
}

function addedItem(
  account: Account,
  subscription: Stripe.Subscription,
  price: ReturnType<typeof recurringPrice> | undefined,
  { quantity = 1, metadata }: ItemChange,
  param: string,
): Stripe.SubscriptionItem {
  if (price === undefined) {
    const missing = `${param}[price]`;
    throw invalidRequest(`Missing required param: ${missing}.`, {
      code: "parameter_missing",
      param: missing,
    });
  }
  const now = account.clock.now();
  return newItem({
    subscription: subscription.id,
    price,
    quantity,
    metadata: mergeMetadata({}, metadata),
    period: periodFrom(now, subscription.billing_cycle_anchor, price.recurring),
    now,
  });
}
