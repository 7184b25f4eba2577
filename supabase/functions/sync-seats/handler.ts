import * as z from "zod";
import type { Alert } from "../_shared/alerts.ts";
import { readCommand } from "../_shared/body.ts";
import { type Handler, withBoundary } from "../_shared/boundary.ts";
import { ApiError } from "../_shared/errors.ts";
import { requireAdminSession, type SessionSettings } from "../_shared/session.ts";
import type { Connections } from "./connections.ts";
import { syncOne } from "./sync_one.ts";
import { sweep } from "./sweep.ts";

/** What the handler works with. */
export interface Dependencies extends Connections {
  readonly config: SessionSettings;
  /** Where drift beyond measure is reported. */
  readonly alert: Alert;
}

/** How the caller has shown who he is: with the project's secret key, or not (a session, then). */
export type Credential = "secret key" | "session";

/**
 * How many organizations one sweep takes unless told: about a second of the two seconds of processor
 * time that Supabase gives a request (Supabase: Edge Functions, limits).
 */
const CHUNK = 250;

const command = z.union([
  z.strictObject({ organizationId: z.uuid() }),
  z.strictObject({
    sweep: z.literal(true),
    limit: z.int().min(1).max(10_000).default(CHUNK),
  }),
]);

/**
 * `POST { organizationId }` by its admin → `{ success, data: { organizationId, seatsUsed,
 * seatsTotal, memberCount, pendingInvitationsCount, overCapacity, drift } }`.
 *
 * `POST { sweep: true, limit? }` with the secret key → `{ success, data: { organizations, failed,
 * drift, recoveredEvents, more } }`: works off what is due and the organizations that have waited
 * longest.
 *
 * @param credential what the wrapper in `index.ts` has verified.
 */
export function createHandler(dependencies: Dependencies, credential: Credential): Handler {
  return withBoundary("sync-seats", ["POST"], async (request, { requestId }) => {
    if (credential === "secret key") {
      const wanted = await readCommand(request, command);
      if ("organizationId" in wanted) {
        throw ApiError.of("invalid_request", "The secret key is for sweeps: send { sweep: true }.");
      }
      return succeeded(await sweep(dependencies, wanted.limit, requestId));
    }
    const session = await requireAdminSession(request, dependencies.config);
    const wanted = await readCommand(request, command);
    if ("sweep" in wanted) {
      throw ApiError.of("secret_key_required", "A sweep needs the project's secret key.");
    }
    return succeeded(await syncOne(dependencies, wanted.organizationId, session));
  });
}

function succeeded(data: unknown): Response {
  return Response.json({ success: true, data });
}
