import type { OrganizationMembership } from "@clerk/backend";
import * as z from "zod";
import { answerOf } from "../_shared/database.ts";
import { ApiError } from "../_shared/errors.ts";
import { findMembership } from "./clerk_people.ts";
import { askClerk, CLERK_CODES, type Failure, isRefusedWith, toError } from "./clerk_reply.ts";
import type { Dependencies } from "./handler.ts";
import type { Inviter } from "./invitation_records.ts";
import { type Member, recordGone, recordMembership, recordRefusal } from "./member_records.ts";
import { readSeats, type Seats } from "./organization.ts";

/** A member after a change, and the seats. */
export interface ChangedMember {
  readonly member: Member;
  readonly seats: Seats;
}

const startedSchema = z.object({
  memberId: z.uuid(),
  role: z.string().nullable(),
  roleBefore: z.string(),
});
type Started = z.infer<typeof startedSchema>;

/** How often Clerk is asked, when nobody knows what became of it. */
const TRIES = 2;

/**
 * Gives a member another role or, without one, removes the member: in Clerk, then here, at once. A
 * role that takes a seat which the old one did not claims it first.
 *
 * @param role Clerk's role key; null to remove the member.
 * @throws {ApiError} what `start_member_change` refuses, `last_admin` or `clerk_refused` (409),
 * `member_not_found` (404) when Clerk knows the member no more (who is then recorded as removed),
 * `clerk_unavailable` (503).
 */
export async function changeMember(
  dependencies: Dependencies,
  { organizationId, session }: Inviter,
  userId: string,
  role: string | null,
): Promise<ChangedMember> {
  const { database } = dependencies;
  const started = startedSchema.parse(
    await answerOf(database.rpc("start_member_change", {
      p_organization_id: organizationId,
      p_clerk_org_id: session.clerkOrgId,
      p_clerk_user_id: userId,
      // The generated type of an argument does not say that it may be null.
      p_role: role as string,
      p_actor: session.userId,
    })),
  );
  const change = { started, userId, clerkOrgId: session.clerkOrgId, actor: session.userId };
  const member = await askAndRecord(dependencies, change);
  return { member, seats: await readSeats(database, organizationId) };
}

interface MemberChange {
  readonly started: Started;
  readonly userId: string;
  readonly clerkOrgId: string;
  readonly actor: string;
}

async function askAndRecord(
  dependencies: Dependencies,
  change: MemberChange,
): Promise<Member> {
  const { started: { memberId, role }, clerkOrgId, userId, actor } = change;
  const record = (membership: OrganizationMembership, isRemoved: boolean) =>
    recordMembership(dependencies, memberId, { membership, isRemoved }, actor);
  for (let tries = 1;; tries++) {
    const reply = await ask(dependencies, change);
    if (reply.kind === "done") return await record(reply.answer, role === null);
    // Only of the first call: Clerk may be at that one still when it has nothing to do with another.
    const isCertain = tries === 1 && reply.kind !== "unknown";
    if (isCertain && !(reply.kind === "refused" && reply.status === 404)) {
      throw await takeBack(dependencies, change, reply);
    }

    // Nobody knows, or Clerk does not know the member (or the role: that is a 404 as well).
    const known = await findMembership(dependencies.clerk, clerkOrgId, userId);
    if (known.kind !== "done") throw toError(known);
    if (known.answer === null) {
      const gone = await recordGone(dependencies, memberId, actor);
      if (role === null) return gone;
      throw ApiError.of("member_not_found", "The member has left.");
    }
    if (role !== null && known.answer.role === role) return await record(known.answer, false);
    if (isCertain) throw await takeBack(dependencies, change, reply);
    if (tries === TRIES) throw toError({ kind: "unknown", cause: toError(reply) });
  }
}

function ask({ clerk }: Dependencies, { started: { role }, clerkOrgId, userId }: MemberChange) {
  const membership = { organizationId: clerkOrgId, userId };
  return askClerk(
    role === null
      ? clerk.organizations.deleteOrganizationMembership(membership)
      : clerk.organizations.updateOrganizationMembership({ ...membership, role }),
  );
}

async function takeBack(
  dependencies: Dependencies,
  { started: { memberId, role, roleBefore }, actor }: MemberChange,
  failure: Failure,
): Promise<ApiError> {
  await recordRefusal(dependencies, memberId, { role, roleBefore }, actor);
  return isRefusedWith(failure, CLERK_CODES.lastAdmin)
    ? ApiError.of("last_admin", "The organization would be left without an admin.")
    : toError(failure);
}
