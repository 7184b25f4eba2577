import { answerOf } from "../_shared/database.ts";
import type { AdminSession, Session } from "../_shared/session.ts";
import { askClerk, toError } from "./clerk_reply.ts";
import type { Dependencies } from "./handler.ts";
import type { Inviter } from "./invitation_records.ts";
import { type Member, memberOf } from "./member_records.ts";
import { requireOrganization } from "./organization.ts";

/** Which page of requests is wanted. */
export interface RequestPage {
  readonly limit: number;
  /** How many requests to pass over. */
  readonly cursor: number;
}

/**
 * Asks to join with an organization's code. Whether there is such a code, and room behind it, is not
 * told.
 *
 * @throws {ApiError} `too_many_attempts` (429), `clerk_unavailable` (503).
 */
export async function requestMembership(
  { clerk, database }: Dependencies,
  { userId }: Session,
  joinCode: string,
): Promise<void> {
  // Before the code is looked at, so that Clerk's answer tells nothing about it.
  const user = await askClerk(clerk.users.getUser(userId));
  if (user.kind !== "done") throw toError(user);
  await answerOf(database.rpc("request_membership", {
    p_join_code: joinCode,
    p_clerk_user_id: userId,
    p_email: user.answer.primaryEmailAddress?.emailAddress ?? "",
  }));
}

/**
 * The open requests, oldest first, and the code that they were made with.
 *
 * @throws {ApiError} `not_organization_admin` (403).
 */
export async function readRequests(
  { database }: Dependencies,
  { organizationId, session }: Inviter,
  { limit, cursor }: RequestPage,
): Promise<object> {
  const { joinCode } = await requireOrganization(database, organizationId, session);
  const rows = await answerOf(
    database.from("organization_members").select("id, clerk_user_id, email, created_at")
      .eq("organization_id", organizationId).eq("status", "requested")
      .order("created_at").order("id")
      .range(cursor, cursor + limit),
  );
  return {
    joinCode,
    data: rows.slice(0, limit).map((row) => ({
      id: row.id,
      clerkUserId: row.clerk_user_id,
      email: row.email,
      requestedAt: row.created_at,
    })),
    nextCursor: rows.length > limit ? cursor + limit : null,
  };
}

/**
 * Turns a request down.
 *
 * @throws {ApiError} `not_organization_admin` (403), `member_not_found` (404), `request_closed`
 * (409).
 */
export async function rejectRequest(
  { database }: Dependencies,
  { organizationId, session }: Inviter,
  memberId: string,
): Promise<Member> {
  await requireOrganization(database, organizationId, session);
  return memberOf(
    await answerOf(database.rpc("reject_member", {
      p_member_id: memberId,
      p_clerk_org_id: session.clerkOrgId,
      p_actor: session.userId,
    })),
  );
}

/**
 * Gives the organization a new code; the old one is worth nothing from now on.
 *
 * @throws {ApiError} `not_organization_admin` (403).
 */
export async function replaceJoinCode(
  { database }: Dependencies,
  organizationId: string,
  { clerkOrgId, userId }: AdminSession,
): Promise<string> {
  return await answerOf(database.rpc("replace_join_code", {
    p_organization_id: organizationId,
    p_clerk_org_id: clerkOrgId,
    p_actor: userId,
  }));
}
