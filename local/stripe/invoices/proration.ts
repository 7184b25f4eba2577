import { amountOf, type PricedProduct } from "./tiers.ts";

/** One item of a subscription, with what is needed to compute with it. */
export interface BillableItem extends PricedProduct {
  id: string;
  quantity: number;
  period: Period;
}

/** A stretch of time, in seconds since 1970. */
export interface Period {
  start: number;
  end: number;
}

/** A credit for time that is no longer used, or a charge for time that is left. */
export interface Proration {
  item: BillableItem;
  /** Negative for a credit. */
  amount: number;
  description: string;
  period: Period;
}

/**
 * What a change at the moment `at` adds to a bill, by the second: for each item that changes, a
 * credit for the rest of the period as it was and a charge for the rest as it will be. Items are
 * matched by id.
 */
export function prorations(
  before: readonly BillableItem[],
  after: readonly BillableItem[],
  at: number,
): Proration[] {
  const changed = (item: BillableItem, others: readonly BillableItem[]) => {
    const other = others.find(({ id }) => id === item.id);
    return other === undefined || other.quantity !== item.quantity ||
      other.price.id !== item.price.id;
  };
  const credits = before.filter((item) => changed(item, after)).map((item) => credit(item, at));
  const charges = after.filter((item) => changed(item, before)).map((item) => charge(item, at));
  return [...credits, ...charges];
}

/** The credit for what is left of an item's period. */
export function credit(item: BillableItem, at: number): Proration {
  return proration(item, at, -1, "Unused");
}

function charge(item: BillableItem, at: number): Proration {
  return proration(item, at, 1, "Remaining");
}

function proration(item: BillableItem, at: number, sign: 1 | -1, word: string): Proration {
  const { start, end } = item.period;
  const from = Math.min(Math.max(at, start), end);
  const amount = share(amountOf(item, item.quantity), end - from, end - start);
  const day = new Date(from * 1000)
    .toLocaleDateString("en-GB", {
      day: "numeric",
      month: "short",
      year: "numeric",
      timeZone: "UTC",
    });
  return {
    item,
    amount: sign * amount || 0,
    description: `${word} time on ${item.quantity} × ${item.productName} after ${day}`,
    period: { start: from, end },
  };
}

/** `amount × part / whole`, rounded to the nearest; exact, however large the numbers. */
export function share(amount: number, part: number, whole: number): number {
  if (whole <= 0) return 0;
  const scaled = BigInt(amount) * BigInt(part) * 2n + BigInt(whole);
  return Number(scaled / (BigInt(whole) * 2n));
}
