import * as z from "zod";
import { ApiError } from "../_shared/errors.ts";

const id = z.string().min(1).max(255);

/** Seconds since 1970, up to the year 9999. */
const time = z.int().max(253_402_300_799);

/** An id, or the expanded object (Stripe: expanding responses). */
const reference = z.union([id, z.object({ id })]);

/** Stripe: Subscription object, status. */
const status = z.enum([
  "incomplete",
  "incomplete_expired",
  "trialing",
  "active",
  "past_due",
  "canceled",
  "unpaid",
  "paused",
]);

// On the item; in events of an API before 2025-03-31 on the subscription (Stripe: API changelog).
const period = { current_period_start: time.nullish(), current_period_end: time.nullish() };

const item = z.object({
  id,
  // Metered prices have none. Postgres has no room for more.
  quantity: z.int32().nonnegative().nullish(),
  ...period,
});

/** What an object must carry to be recorded; the rest may come or not (Stripe: API reference). */
const shapes = new Map<string, z.ZodType>([
  [
    "customer.subscription",
    z.object({
      id,
      status,
      created: time,
      cancel_at: time.nullish(),
      cancel_at_period_end: z.boolean().nullish(),
      ...period,
      items: z.object({ data: z.array(item) }),
    }),
  ],
  ["checkout.session", z.object({ id, subscription: reference.nullish() })],
  [
    "invoice",
    z.object({
      subscription: reference.nullish(),
      parent: z.object({
        subscription_details: z.object({ subscription: reference.nullish() }).nullish(),
      }).nullish(),
    }),
  ],
]);

// Made once: a schema costs more to make than to use.
const envelope = z.object({
  id,
  type: z.string(),
  created: time,
  data: z.object({ object: z.unknown() }).nullish(),
});

/**
 * Checks that what stands in a verified body is an event, and carries what its type must.
 *
 * @returns its id.
 * @throws {ApiError} `invalid_event` (400).
 */
export function checkEvent(body: unknown): string {
  const event = envelope.safeParse(body);
  if (!event.success) throw ApiError.of("invalid_event", "This is not an event of Stripe's.");
  const { type, data } = event.data;
  const object = shapes.get(type.slice(0, type.lastIndexOf(".")))?.safeParse(data?.object);
  if (object?.success === false) {
    throw ApiError.of("invalid_event", "The event lacks what its type must carry.", {
      details: { issues: object.error.issues.map(({ path, message }) => ({ path, message })) },
    });
  }
  return event.data.id;
}
