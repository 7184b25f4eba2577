import type Stripe from "stripe";
import * as z from "zod";
import { answerOf, type ServiceClient, toJson } from "./database.ts";
import type { Json } from "./database.types.ts";
import { ApiError } from "./errors.ts";
import { answeredAt, stripeAnswerOrMissing } from "./stripe.ts";

const outcome = z.object({
  outcome: z.enum(["applied", "duplicate", "stale", "ignored", "ask_stripe"]),
  reason: z.string().optional(),
  organizationId: z.string().optional(),
  pushLimit: z.boolean().optional(),
  alert: z.string().optional(),
  subscriptionId: z.string().optional(),
  version: z.int().optional(),
});

/** What became of an event. */
export type EventOutcome = z.infer<typeof outcome>;

/** A subscription as Stripe has it now, null when Stripe does not know it, and Stripe's time. */
export interface SubscriptionNow {
  readonly subscription: Json;
  readonly readAt: number;
}

/** How often Stripe is asked about one event while others change the same subscription. */
const ASK_LIMIT = 5;

/**
 * Applies an event of Stripe's that is known to be genuine. What it does is decided by the database
 * (`apply_stripe_event`), in one round trip unless it has to know what Stripe says now.
 *
 * @param readNow asks Stripe: `readSubscription()`, or that within a pace.
 * @throws {ApiError} `database_unavailable` (503), and what `readNow` throws.
 */
export async function applyStripeEvent(
  database: ServiceClient,
  event: Json,
  readNow: (subscriptionId: string) => Promise<SubscriptionNow>,
): Promise<EventOutcome> {
  let asked: { p_answer?: Json } = {};
  for (let times = 0; times <= ASK_LIMIT; times++) {
    const applied = outcome.parse(
      await answerOf(database.rpc("apply_stripe_event", { p_event: event, ...asked })),
    );
    if (applied.outcome !== "ask_stripe" || applied.subscriptionId === undefined) return applied;
    const { subscription, readAt } = await readNow(applied.subscriptionId);
    asked = { p_answer: { version: applied.version ?? 0, readAt, subscription } };
  }
  throw ApiError.of("database_unavailable", "The subscription keeps changing. Try again.", {
    retryAfter: 5,
  });
}

/**
 * Asks Stripe how a subscription is now.
 *
 * @throws {ApiError} what `stripeAnswer()` throws.
 */
export async function readSubscription(
  stripe: Stripe,
  id: string,
  options: Stripe.RequestOptions = {},
): Promise<SubscriptionNow> {
  const subscription = await stripeAnswerOrMissing(
    stripe.subscriptions.retrieve(id, { expand: ["latest_invoice"] }, options),
  );
  return subscription === null
    ? { subscription: null, readAt: Math.floor(Date.now() / 1000) }
    : { subscription: toJson(subscription), readAt: answeredAt(subscription) };
}
