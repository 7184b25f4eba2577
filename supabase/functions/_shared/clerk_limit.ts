import type { ClerkClient } from "@clerk/backend";
import * as z from "zod";
import { clerkAnswer } from "./clerk.ts";
import { answerOf, type ServiceClient } from "./database.ts";
import { ApiError } from "./errors.ts";
import { describeError, log } from "./log.ts";

/** What a limit is read from and pushed to. */
export interface LimitConnections {
  readonly database: ServiceClient;
  readonly clerk: ClerkClient;
}

/** How often a limit is pushed again because it changed meanwhile; the sweep does the rest. */
const PUSH_TRIES = 5;

const pushSchema = z.object({ pushId: z.uuid(), clerkOrgId: z.string(), limit: z.int() })
  .nullable();

/**
 * Makes `max_allowed_memberships` in Clerk what `organizations.clerk_limit` says, so that Clerk's
 * own screens refuse whom we would refuse. Does nothing where Clerk has it already or another push
 * is under way, which then sees to the newest value itself.
 *
 * Never rejects: whatever fails is logged, stays in the row, and is tried again by the sweep.
 */
export async function pushClerkLimit(
  connections: LimitConnections,
  organizationId: string,
): Promise<void> {
  try {
    for (let tries = 0; tries < PUSH_TRIES; tries++) {
      if (!(await pushOnce(connections, organizationId))) return;
    }
  } catch (error) {
    log("warn", "limit not pushed to Clerk", { organizationId, cause: describeError(error) });
  }
}

/** Pushes the limit as it is now; resolves to whether it has to be pushed again. */
async function pushOnce(
  { database, clerk }: LimitConnections,
  organizationId: string,
): Promise<boolean> {
  const push = pushSchema.parse(
    await answerOf(database.rpc("start_clerk_limit_push", { p_organization_id: organizationId })),
  );
  if (push === null) return false;
  const outcome = await tellClerk(clerk, push.clerkOrgId, push.limit);
  if (outcome.p_limit === undefined) {
    log(outcome.p_error === undefined ? "warn" : "error", "limit not taken by Clerk", {
      organizationId,
      limit: push.limit,
      cause: outcome.p_error ?? "no answer",
    });
  }
  return await answerOf(database.rpc("finish_clerk_limit_push", {
    p_organization_id: organizationId,
    p_push_id: push.pushId,
    ...outcome,
  }));
}

/** What became of a push: the limit taken, the code of a refusal, or neither without an answer. */
async function tellClerk(
  clerk: ClerkClient,
  clerkOrgId: string,
  maxAllowedMemberships: number,
): Promise<{ p_limit?: number; p_error?: string }> {
  try {
    await clerkAnswer(
      clerk.organizations.updateOrganization(clerkOrgId, { maxAllowedMemberships }),
    );
    return { p_limit: maxAllowedMemberships };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return error.code === "clerk_error" ? { p_error: clerkCode(error) } : {};
  }
}

function clerkCode({ details }: ApiError): string {
  const code = typeof details === "string" ? details : details["clerkCode"];
  return typeof code === "string" ? code : "unknown";
}
