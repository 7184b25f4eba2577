import * as z from "zod";
import { factOf, parseJson, readText, WEBHOOK_BODY_LIMIT } from "../_shared/body.ts";
import { inBackground } from "../_shared/background.ts";
import { type Handler, withBoundary } from "../_shared/boundary.ts";
import { answerOf, type ServiceClient } from "../_shared/database.ts";
import type { PushLimit } from "../_shared/limit_pusher.ts";
import { log } from "../_shared/log.ts";
import { checkEvent } from "./event.ts";
import { verifySignature } from "./signature.ts";

/** What the handler works with. */
export interface Dependencies {
  /** Signing secrets; with none the endpoint is closed. */
  readonly secrets: readonly string[];
  readonly database: ServiceClient;
  readonly pushLimit: PushLimit;
}

const outcome = z.object({
  outcome: z.enum(["applied", "duplicate", "ignored"]),
  organizationId: z.string().nullish(),
  pushLimit: z.boolean().optional(),
  alert: z.string().nullish(),
});

/**
 * `POST` of an event by Clerk, delivered by Svix → `{ received: true, outcome }` once it is
 * committed. What an event does is decided by the database (`apply_clerk_event`), in one round
 * trip. Errors of ours are 5xx, so that Svix delivers again.
 */
export function createHandler({ secrets, database, pushLimit }: Dependencies): Handler {
  return withBoundary("clerk-webhook", ["POST"], async (request, { requestId }) => {
    const body = await readText(request, WEBHOOK_BODY_LIMIT);
    const messageId = verifySignature(secrets, request.headers, body);
    const event = factOf(parseJson(body), body);
    checkEvent(event);

    const applied = outcome.parse(
      await answerOf(database.rpc("apply_clerk_event", {
        p_message_id: messageId,
        p_event: event,
      })),
    );
    if (applied.alert) {
      log("alert", applied.alert, {
        function: "clerk-webhook",
        requestId,
        messageId,
        organizationId: applied.organizationId,
      });
    }
    if (applied.pushLimit === true && applied.organizationId) {
      inBackground(pushLimit(applied.organizationId));
    }
    return Response.json({ received: true, outcome: applied.outcome });
  });
}
