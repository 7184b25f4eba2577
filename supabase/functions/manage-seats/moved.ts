import type Stripe from "stripe";

/** A change of seats, and what it was judged by. */
export interface Judged {
  readonly itemId: string;
  readonly seats: number;
  /** No earlier try can have made it. */
  readonly isNew: boolean;
  /** The quantity that Stripe was known to have. */
  readonly seatsBefore: number;
  /** When the period was known to end, in seconds. */
  readonly periodEnd: number;
}

/**
 * Whether a subscription is another than the one that a change was judged by: its period has ended,
 * or somebody else has set the quantity, and the webhook is late or lost. A free change would then
 * give away seats of the new period, or take seats that it has been paid for. One that has been made
 * already, by an earlier try, has not moved.
 */
export function hasMoved(
  { itemId, seats, isNew, seatsBefore, periodEnd }: Judged,
  { items }: Pick<Stripe.Subscription, "items">,
): boolean {
  const item = items.data.find(({ id }) => id === itemId);
  const isMade = !isNew && item?.quantity === seats && seats !== seatsBefore;
  return !isMade && (item?.quantity !== seatsBefore || item.current_period_end !== periodEnd);
}
