/** One try at sending a delivery. `status` is null where no answer came; then `error` says why. */
export interface DeliveryAttempt {
  /** Milliseconds since 1970. */
  at: number;
  status: number | null;
  error: string | null;
}

/** What a provider asks to be sent. */
export interface DeliveryRequest {
  endpointUrl: string;
  /** Names the endpoint whose secret signs this, for the signer to look up. */
  secretRef: string;
  /** The same over every attempt and replay. */
  eventId: string;
  type: string;
  /** The exact bytes of the body. */
  payload: string;
}

/**
 * - `pending`: an attempt is under way or will follow.
 * - `delivered`: an attempt was answered with 2xx.
 * - `failed`: the retry schedule is used up.
 * - `dropped`: a policy lost it; it was never sent.
 * - `held`: a policy keeps it until it is released.
 */
export type DeliveryState = "pending" | "delivered" | "failed" | "dropped" | "held";

/** One event on its way to one endpoint, as the control routes list it. */
export interface Delivery {
  id: string;
  eventId: string;
  type: string;
  url: string;
  secretRef: string;
  payload: string;
  attempts: DeliveryAttempt[];
  state: DeliveryState;
  /** When the next attempt is due (milliseconds since 1970), while one is. */
  dueAt: number | null;
}

/** The part of an emulator's state that belongs to its deliveries, oldest first. */
export interface DeliveriesState {
  deliveries: Delivery[];
}

/** Which deliveries are meant. A field left out matches all. */
export interface DeliveryFilter {
  /** Text that the event id, the URL or the payload must contain. */
  contains?: string | undefined;
  type?: string | undefined;
  state?: DeliveryState | undefined;
}

/** Says whether a delivery is one of those that the filter means. */
export function matchesDelivery(delivery: Delivery, filter: DeliveryFilter): boolean {
  const { contains, type, state } = filter;
  if (type !== undefined && delivery.type !== type) return false;
  if (state !== undefined && delivery.state !== state) return false;
  return contains === undefined || delivery.payload.includes(contains) ||
    delivery.url.includes(contains) || delivery.eventId.includes(contains);
}

/** The order in which several deliveries are sent. */
export type DeliveryOrder = "fifo" | "lifo" | "shuffled";

/** A copy of the list in the order asked for. */
export function ordered<T>(list: readonly T[], order: DeliveryOrder): T[] {
  if (order === "fifo") return [...list];
  if (order === "lifo") return [...list].reverse();
  return list
    .map((item) => ({ item, place: Math.random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ item }) => item);
}
