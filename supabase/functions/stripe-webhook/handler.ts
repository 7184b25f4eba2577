import type Stripe from "stripe";
import { factOf, readText, WEBHOOK_BODY_LIMIT } from "../_shared/body.ts";
import { inBackground } from "../_shared/background.ts";
import { type Handler, withBoundary } from "../_shared/boundary.ts";
import type { ServiceClient } from "../_shared/database.ts";
import type { PushLimit } from "../_shared/limit_pusher.ts";
import { log } from "../_shared/log.ts";
import { applyStripeEvent, readSubscription } from "../_shared/stripe_events.ts";
import { checkEvent } from "./event.ts";
import { verifySignature } from "./signature.ts";

/** What the handler works with. */
export interface Dependencies {
  /** Signing secrets; with none the endpoint is closed. */
  readonly secrets: readonly string[];
  readonly database: ServiceClient;
  readonly stripe: Stripe;
  readonly pushLimit: PushLimit;
}

/**
 * `POST` of an event by Stripe → `{ received: true, outcome }` once it is committed. Errors of ours
 * are 5xx, so that Stripe delivers again.
 */
export function createHandler({ secrets, database, stripe, pushLimit }: Dependencies): Handler {
  return withBoundary("stripe-webhook", ["POST"], async (request, { requestId }) => {
    const body = await readText(request, WEBHOOK_BODY_LIMIT);
    const signature = request.headers.get("stripe-signature");
    const fact = factOf(await verifySignature(stripe, secrets, signature, body), body);
    const eventId = checkEvent(fact);

    const applied = await applyStripeEvent(database, fact, (id) => readSubscription(stripe, id));
    if (applied.alert !== undefined || applied.reason === "unknown_customer") {
      log(applied.alert === undefined ? "warn" : "alert", applied.alert ?? "unknown_customer", {
        function: "stripe-webhook",
        requestId,
        eventId,
        organizationId: applied.organizationId,
      });
    }
    if (applied.pushLimit === true && applied.organizationId !== undefined) {
      inBackground(pushLimit(applied.organizationId));
    }
    return Response.json({ received: true, outcome: applied.outcome, reason: applied.reason });
  });
}
