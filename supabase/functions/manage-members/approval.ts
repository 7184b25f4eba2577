import type { OrganizationMembership } from "@clerk/backend";
import { pushClerkLimit } from "../_shared/clerk_limit.ts";
import { answerOf } from "../_shared/database.ts";
import { log } from "../_shared/log.ts";
import { findMembership } from "./clerk_people.ts";
import { askClerk, CLERK_CODES, isRefusedWith, type Reply, toError } from "./clerk_reply.ts";
import type { Dependencies } from "./handler.ts";
import { endInvitation, type Sent } from "./invitation_changes.ts";
import type { Inviter } from "./invitation_records.ts";
import { memberOf, type MemberRow, recordMembership, recordRefusal } from "./member_records.ts";
import type { ChangedMember } from "./members.ts";
import { readSeats, requireOrganization } from "./organization.ts";

/** How often Clerk is asked, when nobody knows what became of it. */
const TRIES = 2;

/** How long is waited after each time that Clerk was told the limit, since it was in the way. */
const LIMIT_PAUSES_MS = [0, 1_000];

/**
 * Approves a request: claims the seat, has Clerk make the membership, and records it. Where Clerk
 * refuses, the seat is free and the request open again; when Clerk is asked by another as well, a
 * sync settles it.
 *
 * @throws {ApiError} `not_organization_admin` (403), what `approve_member` refuses, `clerk_refused`
 * (409), `clerk_unavailable` (503).
 */
export async function approveRequest(
  dependencies: Dependencies,
  inviter: Inviter,
  memberId: string,
): Promise<ChangedMember> {
  const { database } = dependencies;
  const { organizationId, session } = inviter;
  await requireOrganization(database, organizationId, session);
  const row = await answerOf(database.rpc("approve_member", {
    p_member_id: memberId,
    p_actor: session.userId,
    p_clerk_org_id: session.clerkOrgId,
  }));
  const member = row.clerk_membership_id === null
    ? await makeMember(dependencies, inviter, row)
    : memberOf(row);
  return { member, seats: await readSeats(database, organizationId) };
}

async function makeMember(
  dependencies: Dependencies,
  inviter: Inviter,
  row: MemberRow,
): Promise<ChangedMember["member"]> {
  const actor = inviter.session.userId;
  const invitation = await findInvitation(dependencies, inviter, row);
  const made = await join(dependencies, inviter, row, invitation);
  if (made.kind === "refused" || made.kind === "limited") {
    await recordRefusal(dependencies, row.id, { heldUntil: row.held_until }, actor);
  }
  if (made.kind !== "done") throw toError(made);
  const change = { membership: made.answer, isRemoved: false };
  const member = await recordMembership(dependencies, row.id, change, actor);
  if (invitation !== null) await endLeftOver(dependencies, inviter, invitation);
  return member;
}

/** Has Clerk make the membership; where its limit is in the way, after what may help. */
async function join(
  dependencies: Dependencies,
  inviter: Inviter,
  row: MemberRow,
  invitation: Sent | null,
): Promise<Reply<OrganizationMembership>> {
  const { organizationId } = inviter;
  const tryOnce = () => createMembership(dependencies, inviter.session.clerkOrgId, row);
  let reply = await tryOnce();
  for (const pauseMs of LIMIT_PAUSES_MS) {
    if (!isRefusedWith(reply, CLERK_CODES.quota)) break;
    // Seats that have just been bought may not have reached Clerk, or are on the way there.
    await askClerk(pushClerkLimit(dependencies, organizationId));
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    reply = await tryOnce();
  }
  if (isRefusedWith(reply, CLERK_CODES.quota) && invitation !== null) {
    // To Clerk, someone who is invited and joins needs two places; the seat is one.
    const ended = await endInvitation(dependencies, inviter, invitation);
    if (ended.kind === "done") reply = await tryOnce();
  }
  return reply;
}

/** Makes a membership, or finds the one that there is. */
async function createMembership(
  { clerk }: Dependencies,
  organizationId: string,
  { clerk_user_id: userId, role }: MemberRow,
): Promise<Reply<OrganizationMembership>> {
  for (let tries = 1;; tries++) {
    const made = await askClerk(
      clerk.organizations.createOrganizationMembership({ organizationId, userId, role }),
    );
    if (made.kind === "done") return made;
    // Only of the first call: Clerk may be at that one still when it has nothing to do with another.
    const isCertain = tries === 1 && made.kind !== "unknown" &&
      !isRefusedWith(made, CLERK_CODES.alreadyMember);
    if (isCertain) return made;
    const known = await findMembership(clerk, organizationId, userId);
    if (known.kind !== "done") return { kind: "unknown", cause: toError(known) };
    if (known.answer !== null) return { kind: "done", answer: known.answer };
    // In the way of one is in the way of the other.
    if (isRefusedWith(made, CLERK_CODES.quota)) return made;
    if (tries === TRIES) return { kind: "unknown", cause: toError(made) };
  }
}

/** The pending invitation of the person who asks to join, if there is one. */
async function findInvitation(
  { database }: Dependencies,
  { organizationId }: Inviter,
  { email }: MemberRow,
): Promise<Sent | null> {
  if (email === null) return null;
  const [row] = await answerOf(
    database.from("organization_invitations").select("id, clerk_invitation_id")
      .eq("organization_id", organizationId).eq("email", email).eq("status", "pending")
      .not("clerk_invitation_id", "is", null),
  );
  const clerkInvitationId = row?.clerk_invitation_id ?? null;
  if (row === undefined || clerkInvitationId === null) return null;
  return { invitationId: row.id, clerkInvitationId };
}

/** Revokes the invitation of somebody who is a member now: it would take up a place in Clerk. */
async function endLeftOver(
  dependencies: Dependencies,
  inviter: Inviter,
  invitation: Sent,
): Promise<void> {
  const ended = await endInvitation(dependencies, inviter, invitation);
  if (ended.kind === "done") return;
  // It holds no seat, and ends by itself.
  log("warn", "left-over invitation not revoked", {
    function: "manage-members",
    organizationId: inviter.organizationId,
    invitationId: invitation.invitationId,
  });
}
