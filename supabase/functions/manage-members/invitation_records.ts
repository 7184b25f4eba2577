import type { OrganizationInvitation } from "@clerk/backend";
import { invitationFact } from "../_shared/clerk_facts.ts";
import { answerOf, toJson } from "../_shared/database.ts";
import type { AdminSession } from "../_shared/session.ts";
import { askClerk } from "./clerk_reply.ts";
import type { Dependencies } from "./handler.ts";
import type { Outcome, Reserved, Settlement } from "./invitation_calls.ts";

/** Whose invitations are recorded. */
export interface Inviter {
  readonly organizationId: string;
  readonly session: AdminSession;
}

/** What Clerk says of an invitation of ours. */
export type InvitationState = "pending" | "accepted" | "revoked" | "expired";

/** How many ids fit into the address of a request. */
const IDS_AT_ONCE = 100;

/**
 * Keeps hold of those seats that are still held.
 *
 * @returns the ids of those that are; the others were settled otherwise.
 */
export async function holdSeats(
  { database }: Dependencies,
  { organizationId }: Inviter,
  people: readonly Reserved[],
): Promise<ReadonlySet<string>> {
  return new Set(
    await answerOf(database.rpc("hold_invitations", {
      p_organization_id: organizationId,
      p_invitation_ids: people.map(({ invitationId }) => invitationId),
    })),
  );
}

/**
 * Records what Clerk did, and takes back in Clerk what has come too late: a seat that had lapsed
 * before Clerk answered and that somebody else has by now.
 *
 * @returns the outcomes by our ids.
 */
export async function recordSettlements(
  dependencies: Dependencies,
  inviter: Inviter,
  settlements: readonly Settlement[],
): Promise<ReadonlyMap<string, Outcome>> {
  const states = await settle(
    dependencies,
    inviter,
    settlements.map(({ person: { invitationId }, invitation }) =>
      invitation === null
        ? { invitationId, refused: true }
        : found(inviter, invitationId, invitation, "pending")
    ),
  );
  const outcomes = new Map<string, Outcome>();
  for (const { person: { invitationId }, outcome, invitation } of settlements) {
    const isLate = invitation !== null && states.get(invitationId) === "late";
    outcomes.set(
      invitationId,
      isLate ? await takeBack(dependencies, inviter, invitationId, invitation) : outcome,
    );
  }
  return outcomes;
}

/** Records the state that Clerk says an invitation of ours is in; returns the one it is in here. */
export async function recordState(
  dependencies: Dependencies,
  inviter: Inviter,
  invitationId: string,
  invitation: OrganizationInvitation,
  state: InvitationState,
): Promise<string | undefined> {
  const result = found(inviter, invitationId, invitation, state);
  return (await settle(dependencies, inviter, [result])).get(invitationId);
}

/** Gives a held seat back: Clerk surely did not send the invitation. */
export async function releaseSeat(
  dependencies: Dependencies,
  inviter: Inviter,
  invitationId: string,
): Promise<void> {
  await settle(dependencies, inviter, [{ invitationId, refused: true }]);
}

/** Ends an invitation of which Clerk knows nothing; returns the state it is in here. */
export async function recordUnknown(
  dependencies: Dependencies,
  inviter: Inviter,
  invitationId: string,
): Promise<string | undefined> {
  const results = [{ invitationId, unknown: true }];
  return (await settle(dependencies, inviter, results)).get(invitationId);
}

/** What the rows say of people whose outcome nobody has seen: an event may have told meanwhile. */
export async function readOutcomes(
  { database }: Dependencies,
  { organizationId }: Inviter,
  people: readonly Reserved[],
): Promise<ReadonlyMap<string, Outcome>> {
  const outcomes = new Map<string, Outcome>();
  for (let start = 0; start < people.length; start += IDS_AT_ONCE) {
    const ids = people.slice(start, start + IDS_AT_ONCE).map(({ invitationId }) => invitationId);
    const rows = await answerOf(
      database.from("organization_invitations").select("id, status")
        .eq("organization_id", organizationId).in("id", ids),
    );
    for (const { id, status } of rows) outcomes.set(id, outcomeOf(status));
  }
  return outcomes;
}

function outcomeOf(status: string): Outcome {
  if (["pending", "accepted", "joined"].includes(status)) return { outcome: "invited" };
  if (status === "reserved") return { outcome: "unknown" };
  const reason = {
    code: "reservation_lapsed",
    message: "It took too long: the seat is free again.",
  };
  return { outcome: "refused", reason };
}

function found(
  { session }: Inviter,
  invitationId: string,
  invitation: OrganizationInvitation,
  status: InvitationState,
): object {
  const fact = { ...invitationFact(invitation), invitedBy: session.userId };
  return { invitationId, status, invitation: fact };
}

async function settle(
  { database }: Dependencies,
  { organizationId, session }: Inviter,
  results: readonly object[],
): Promise<ReadonlyMap<string, string>> {
  const settled = await answerOf(database.rpc("settle_invitations", {
    p_organization_id: organizationId,
    p_results: toJson(results),
    p_actor: session.userId,
  }));
  const states = settled as { invitationId: string; state: string }[];
  return new Map(states.map(({ invitationId, state }) => [invitationId, state]));
}

async function takeBack(
  dependencies: Dependencies,
  inviter: Inviter,
  invitationId: string,
  { id }: OrganizationInvitation,
): Promise<Outcome> {
  const { clerkOrgId, userId } = inviter.session;
  const reply = await askClerk(dependencies.clerk.organizations.revokeOrganizationInvitation({
    organizationId: clerkOrgId,
    invitationId: id,
    requestingUserId: userId,
  }));
  // Clerk has it, and so have we: past the limit, as an event would have told.
  if (reply.kind !== "done") return { outcome: "invited" };
  await recordState(dependencies, inviter, invitationId, reply.answer, "revoked");
  return { outcome: "no_seat" };
}
