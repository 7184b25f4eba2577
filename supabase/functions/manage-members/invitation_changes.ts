import type { OrganizationInvitation } from "@clerk/backend";
import * as z from "zod";
import { answerOf } from "../_shared/database.ts";
import { ApiError } from "../_shared/errors.ts";
import { askClerk, type Reply, RETRY_AFTER, toError } from "./clerk_reply.ts";
import type { Dependencies } from "./handler.ts";
import type { Outcome, Reserved } from "./invitation_calls.ts";
import { type Inviter, recordState, recordUnknown, releaseSeat } from "./invitation_records.ts";
import type { Invitation } from "./invitations.ts";
import { InvitationRun } from "./invitation_run.ts";
import { readSeats, requireOrganization, type Seats } from "./organization.ts";

/** How long a seat is held while Clerk is asked, in seconds (`private.hold_time()`). */
const HOLD_SECONDS = 30;

const resendSchema = z.object({
  invitationId: z.uuid(),
  clerkInvitationId: z.string().nullable(),
  email: z.string(),
  role: z.string(),
});

/**
 * Sends an invitation again: a new one takes the seat of the old one over, which is revoked in Clerk.
 *
 * @throws {ApiError} what `start_resend` refuses, `invitation_closed` (409) when it was accepted
 * meanwhile, `clerk_refused` (409), `clerk_unavailable` (503).
 */
export async function resendInvitation(
  dependencies: Dependencies,
  inviter: Inviter,
  invitationId: string,
): Promise<{ invitation: Invitation; seats: Seats }> {
  const { database } = dependencies;
  const { organizationId, session } = inviter;
  const { clerkInvitationId, ...reserved } = resendSchema.parse(
    await answerOf(database.rpc("start_resend", {
      p_organization_id: organizationId,
      p_clerk_org_id: session.clerkOrgId,
      p_invitation_id: invitationId,
      p_actor: session.userId,
    })),
  );
  if (clerkInvitationId !== null) {
    await endOld(dependencies, inviter, { invitationId, clerkInvitationId }, reserved);
  }
  const outcomes = await new InvitationRun(dependencies, inviter, [reserved]).finish();
  const outcome = outcomes.get(reserved.invitationId) ?? { outcome: "unknown" };
  requireInvited(outcome);
  return {
    invitation: { ...reserved, ...outcome },
    seats: await readSeats(database, organizationId),
  };
}

async function endOld(
  dependencies: Dependencies,
  inviter: Inviter,
  old: Sent,
  reserved: Reserved,
): Promise<void> {
  const ended = await endInvitation(dependencies, inviter, old);
  if (ended.kind === "done" && ended.answer !== "accepted") return;
  // Where Clerk may have revoked it all the same, the next sync settles both.
  if (ended.kind !== "unknown") await releaseSeat(dependencies, inviter, reserved.invitationId);
  throw ended.kind === "done" ? closed("accepted") : toError(ended);
}

function requireInvited({ outcome, reason, retryAfter }: Outcome): void {
  if (outcome === "invited" || outcome === "already_invited") return;
  if (outcome === "unknown" || retryAfter !== undefined) {
    throw ApiError.of("clerk_unavailable", "Clerk did not answer. Try again.", {
      retryAfter: retryAfter ?? RETRY_AFTER,
    });
  }
  throw ApiError.of("clerk_refused", "Clerk did not send the invitation again.", {
    details: { reason: reason ?? { code: outcome, message: "Nobody is invited." } },
  });
}

/**
 * Revokes an invitation, in Clerk first. One that has ended already is as good as revoked.
 *
 * @throws {ApiError} `not_organization_admin` (403), `invitation_not_found` (404),
 * `invitation_in_progress`, `invitation_closed` or `clerk_refused` (409), `clerk_unavailable` (503).
 */
export async function revokeInvitation(
  dependencies: Dependencies,
  inviter: Inviter,
  invitationId: string,
): Promise<{ invitationId: string; status: string; seats: Seats }> {
  const { database } = dependencies;
  await requireOrganization(database, inviter.organizationId, inviter.session);
  const [row] = await answerOf(
    database.from("organization_invitations").select("status, clerk_invitation_id")
      .eq("id", invitationId).eq("organization_id", inviter.organizationId),
  );
  if (row === undefined) {
    throw ApiError.of("invitation_not_found", "There is no such invitation.");
  }
  if (row.status === "reserved") {
    throw ApiError.of("invitation_in_progress", "The invitation is being sent.", {
      retryAfter: HOLD_SECONDS,
    });
  }
  if (row.status === "accepted" || row.status === "joined") throw closed(row.status);
  let status = row.status;
  if (status === "pending" && row.clerk_invitation_id !== null) {
    const sent = { invitationId, clerkInvitationId: row.clerk_invitation_id };
    const ended = await endInvitation(dependencies, inviter, sent);
    if (ended.kind !== "done") throw toError(ended);
    if (ended.answer === "accepted") throw closed(ended.answer);
    status = ended.answer;
  }
  return { invitationId, status, seats: await readSeats(database, inviter.organizationId) };
}

/** An invitation of ours that Clerk has sent. */
export interface Sent {
  readonly invitationId: string;
  readonly clerkInvitationId: string;
}

type Ended = "accepted" | "revoked" | "expired";

/**
 * Revokes an invitation in Clerk and records it. Where Clerk refuses, or nobody knows how it ended,
 * Clerk is asked what the invitation is, and that is recorded: one that it does not know is over.
 *
 * @returns how it ended in truth.
 */
export async function endInvitation(
  dependencies: Dependencies,
  inviter: Inviter,
  { invitationId, clerkInvitationId }: Sent,
): Promise<Reply<Ended>> {
  const { organizations } = dependencies.clerk;
  const { clerkOrgId: organizationId, userId } = inviter.session;
  const sent = { organizationId, invitationId: clerkInvitationId };
  const record = async (invitation: OrganizationInvitation, status: Ended) => {
    await recordState(dependencies, inviter, invitationId, invitation, status);
    return { kind: "done", answer: status } as const;
  };
  const revoked = await askClerk(
    organizations.revokeOrganizationInvitation({ ...sent, requestingUserId: userId }),
  );
  if (revoked.kind === "done") return await record(revoked.answer, "revoked");
  if (revoked.kind === "limited") return revoked;
  const known = await askClerk(organizations.getOrganizationInvitation(sent));
  if (known.kind === "refused" && known.status === 404) {
    const state = await recordUnknown(dependencies, inviter, invitationId);
    const isAccepted = state === "accepted" || state === "joined";
    return { kind: "done", answer: isAccepted ? "accepted" : "revoked" };
  }
  if (known.kind !== "done") return known;
  const { status } = known.answer;
  if (status === undefined || status === "pending") return revoked;
  return await record(known.answer, status);
}

function closed(status: string): ApiError {
  return ApiError.of("invitation_closed", "The invitation has been accepted.", {
    details: { status },
  });
}
