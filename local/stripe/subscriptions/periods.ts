import type { Stripe } from "stripe";
import type { Period } from "../invoices/proration.ts";

const DAY_SECONDS = 86_400;

/** How often a price is billed. */
export type Interval = Pick<Stripe.Price.Recurring, "interval" | "interval_count">;

/**
 * The period that begins at `start`. Its end falls on the anchor's day of the month and time of day;
 * a month that lacks that day ends on its last one, and the months after it come back to the day.
 */
export function periodFrom(start: number, anchor: number, interval: Interval): Period {
  const { interval: unit, interval_count: count } = interval;
  if (unit === "day" || unit === "week") {
    const step = (unit === "week" ? 7 : 1) * DAY_SECONDS * count;
    return { start, end: anchor + step * (Math.floor((start - anchor) / step) + 1) };
  }
  const months = unit === "year" ? 12 * count : count;
  // An average month is a close first guess; from there to the first end after the start.
  let steps = Math.max(0, Math.floor((start - anchor) / (months * 30.44 * DAY_SECONDS)) - 1);
  while (monthsAfter(anchor, steps * months) <= start) steps += 1;
  return { start, end: monthsAfter(anchor, steps * months) };
}

function monthsAfter(anchor: number, months: number): number {
  const date = new Date(anchor * 1000);
  const day = date.getUTCDate();
  date.setUTCDate(1);
  date.setUTCMonth(date.getUTCMonth() + months);
  const lastDay = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
  date.setUTCDate(Math.min(day, lastDay));
  return Math.floor(date.getTime() / 1000);
}

/** Says whether two prices are billed equally often. */
export function isSameInterval(a: Interval, b: Interval): boolean {
  return a.interval === b.interval && a.interval_count === b.interval_count;
}
