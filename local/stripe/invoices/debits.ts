import type { Period } from "./proration.ts";

/** What an item was billed for a stretch of time, as far as it has not been credited since. */
export interface Debit {
  price: string;
  product: string;
  productName: string;
  quantity: number;
  /** For the whole period. */
  amount: number;
  period: Period;
  /** From here to the period's end it has been credited already. */
  until: number;
}

/** One debit's share of a stretch of time. */
export interface Share {
  debit: Debit;
  /** Positive. */
  amount: number;
  period: Period;
}

/**
 * What of the debits falls on the time from `at` on: one share for each debit. In the flexible
 * billing mode a credit gives back what was billed, whatever the item is set to by now; see
 * Stripe's "Compare classic and flexible billing mode", credit proration calculations.
 */
export function sharesFrom(debits: readonly Debit[], at: number): Share[] {
  return debits.filter(({ until }) => until > at).map((debit) => {
    const { period: { start, end }, until, amount } = debit;
    const from = Math.max(at, start);
    return {
      debit,
      amount: share(amount, until - from, end - start),
      period: { start: from, end: until },
    };
  });
}

/** The debits once their time from `at` on has been credited. */
export function creditedFrom(debits: readonly Debit[], at: number): Debit[] {
  return debits
    .map((debit) => ({ ...debit, until: Math.min(debit.until, at) }))
    .filter(({ until, period }) => until > period.start);
}

/** `amount × part / whole`, rounded to the nearest; exact, however large the numbers. */
export function share(amount: number, part: number, whole: number): number {
  if (whole <= 0) return 0;
  const scaled = BigInt(amount) * BigInt(part) * 2n + BigInt(whole);
  return Number(scaled / (BigInt(whole) * 2n));
}
