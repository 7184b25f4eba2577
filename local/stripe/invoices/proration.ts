import { creditedFrom, type Debit, share, sharesFrom } from "./debits.ts";
import { amountOf, type PricedProduct, productId } from "./tiers.ts";

/** One item of a subscription, with what is needed to compute with it. */
export interface BillableItem extends PricedProduct {
  id: string;
  quantity: number;
  period: Period;
  /** What has been billed for it and not been credited. */
  debits: readonly Debit[];
}

/** A stretch of time, in seconds since 1970. */
export interface Period {
  start: number;
  end: number;
}

/** A credit for time that is no longer used, or a charge for time that is left. */
export interface Proration {
  /** The item's id. */
  item: string;
  price: string;
  product: string;
  currency: string;
  quantity: number;
  /** Negative for a credit. */
  amount: number;
  description: string;
  period: Period;
}

/**
 * What a change at the moment `at` adds to a bill, by the second: for each item that changes, a
 * credit for the rest of what was billed and a charge for the rest of the period as it will be.
 * Items are matched by id.
 */
export function prorations(
  before: readonly BillableItem[],
  after: readonly BillableItem[],
  at: number,
): Proration[] {
  return [
    ...before.filter((item) => isChanged(item, after)).flatMap((item) => credits(item, at)),
    ...after.filter((item) => isChanged(item, before)).map((item) => charge(item, at)),
  ];
}

/** What has been billed for an item once the prorations of a change at `at` are on a bill. */
export function debitsAfter(
  before: readonly BillableItem[],
  item: BillableItem,
  at: number,
): Debit[] {
  const was = before.find(({ id }) => id === item.id)?.debits ?? [];
  if (!isChanged(item, before)) return [...was];
  const { amount, period } = charge(item, at);
  return [...creditedFrom(was, at), debitOf(item, amount, period)];
}

/** The debit of an item that is billed for its whole period, at the price or, in a trial, at 0. */
export function wholeDebit(item: Omit<BillableItem, "debits">, isTrial = false): Debit {
  return debitOf(item, isTrial ? 0 : amountOf(item, item.quantity), item.period);
}

/** The credits for what was billed of an item's time from `at` on. */
export function credits(item: BillableItem, at: number): Proration[] {
  return sharesFrom(item.debits, at).map(({ debit, amount, period }) => ({
    item: item.id,
    price: debit.price,
    product: debit.product,
    currency: item.price.currency,
    quantity: debit.quantity,
    amount: -amount || 0,
    description: described("Unused", debit, period.start),
    period,
  }));
}

function charge(item: BillableItem, at: number): Proration {
  const { start, end } = item.period;
  const from = Math.min(Math.max(at, start), end);
  return {
    item: item.id,
    price: item.price.id,
    product: productId(item.price),
    currency: item.price.currency,
    quantity: item.quantity,
    amount: share(amountOf(item, item.quantity), end - from, end - start),
    description: described("Remaining", item, from),
    period: { start: from, end },
  };
}

function debitOf(
  item: Omit<BillableItem, "debits">,
  amount: number,
  period: Period,
): Debit {
  const { price, productName, quantity } = item;
  const product = productId(price);
  return { price: price.id, product, productName, quantity, amount, period, until: period.end };
}

function isChanged(item: BillableItem, others: readonly BillableItem[]): boolean {
  const other = others.find(({ id }) => id === item.id);
  return other === undefined || other.quantity !== item.quantity ||
    other.price.id !== item.price.id;
}

function described(
  word: "Unused" | "Remaining",
  { quantity, productName }: { quantity: number; productName: string },
  from: number,
): string {
  const day = new Date(from * 1000).toLocaleDateString("en-GB", {
    day: "numeric",
    month: "short",
    year: "numeric",
    timeZone: "UTC",
  });
  return `${word} time on ${quantity} × ${productName} after ${day}`;
}
