import type { ClerkClient } from "@clerk/backend";
import type Stripe from "stripe";
import * as z from "zod";
import { parseJson, readText, WEBHOOK_BODY_LIMIT } from "../_shared/body.ts";
import { inBackground } from "../_shared/background.ts";
import { type Handler, withBoundary } from "../_shared/boundary.ts";
import { pushClerkLimit } from "../_shared/clerk_limit.ts";
import { answerOf, type ServiceClient, toJson } from "../_shared/database.ts";
import type { Json } from "../_shared/database.types.ts";
import { ApiError } from "../_shared/errors.ts";
import { log } from "../_shared/log.ts";
import { answeredAt, stripeAnswerOrMissing } from "../_shared/stripe.ts";
import { verifySignature } from "./signature.ts";

/** What the handler works with. */
export interface Dependencies {
  /** Signing secrets; with none the endpoint is closed. */
  readonly secrets: readonly string[];
  readonly database: ServiceClient;
  readonly stripe: Stripe;
  readonly clerk: ClerkClient;
}

const outcome = z.object({
  outcome: z.enum(["applied", "duplicate", "stale", "ignored", "ask_stripe"]),
  reason: z.string().optional(),
  organizationId: z.string().optional(),
  pushLimit: z.boolean().optional(),
  alert: z.string().optional(),
  subscriptionId: z.string().optional(),
  version: z.int().optional(),
});

/** How often Stripe is asked about one event while others change the same subscription. */
const ASK_LIMIT = 5;

/**
 * `POST` of an event by Stripe → `{ received: true, outcome }` once it is committed. What an event
 * does is decided by the database (`apply_stripe_event`), in one round trip unless it has to know
 * what Stripe says now. Errors of ours are 5xx, so that Stripe delivers again.
 */
export function createHandler({ secrets, database, stripe, clerk }: Dependencies): Handler {
  return withBoundary("stripe-webhook", ["POST"], async (request, { requestId }) => {
    const body = await readText(request, WEBHOOK_BODY_LIMIT);
    await verifySignature(stripe, secrets, request.headers.get("stripe-signature"), body);
    const event = z.looseObject({ id: z.string(), type: z.string(), created: z.int() })
      .safeParse(parseJson(body));
    if (!event.success) throw ApiError.of("invalid_event", "This is not an event of Stripe's.");

    const applied = await applyEvent({ database, stripe }, toJson(event.data));
    if (applied.alert !== undefined || applied.reason === "unknown_customer") {
      log(applied.alert === undefined ? "warn" : "alert", applied.alert ?? "unknown_customer", {
        function: "stripe-webhook",
        requestId,
        eventId: event.data.id,
        organizationId: applied.organizationId,
      });
    }
    if (applied.pushLimit === true && applied.organizationId !== undefined) {
      inBackground(pushClerkLimit({ database, clerk }, applied.organizationId));
    }
    return Response.json({ received: true, outcome: applied.outcome, reason: applied.reason });
  });
}

async function applyEvent(
  { database, stripe }: Pick<Dependencies, "database" | "stripe">,
  event: Json,
): Promise<z.infer<typeof outcome>> {
  let asked: { p_answer?: Json } = {};
  for (let times = 0; times <= ASK_LIMIT; times++) {
    const applied = outcome.parse(
      await answerOf(database.rpc("apply_stripe_event", { p_event: event, ...asked })),
    );
    if (applied.outcome !== "ask_stripe" || applied.subscriptionId === undefined) return applied;
    const { subscription, readAt } = await readSubscription(stripe, applied.subscriptionId);
    asked = { p_answer: { version: applied.version ?? 0, readAt, subscription } };
  }
  throw ApiError.of("database_unavailable", "The subscription keeps changing. Try again.", {
    retryAfter: 5,
  });
}

/** The subscription as Stripe has it now, null when Stripe does not know it, and Stripe's time. */
async function readSubscription(
  stripe: Stripe,
  id: string,
): Promise<{ subscription: Json; readAt: number }> {
  const subscription = await stripeAnswerOrMissing(
    stripe.subscriptions.retrieve(id, { expand: ["latest_invoice"] }),
  );
  return subscription === null
    ? { subscription: null, readAt: Math.floor(Date.now() / 1000) }
    : { subscription: toJson(subscription), readAt: answeredAt(subscription) };
}
