import type { ClerkClient, OrganizationInvitation, OrganizationMembership } from "@clerk/backend";
import { toJson } from "../_shared/database.ts";
import type { Json } from "../_shared/database.types.ts";
import { askClerk, type Reply } from "./clerk_reply.ts";

/** Clerk's largest page (Clerk: pagination). */
const PAGE_SIZE = 500;

/** An invitation as `settle_invitations` takes it. */
export function invitationFact(invitation: OrganizationInvitation, invitedBy: string | null): Json {
  const { id, emailAddress, role, createdAt, updatedAt, expiresAt } = invitation;
  return toJson({
    id,
    email: emailAddress,
    role,
    invitedBy,
    createdAt: toIso(createdAt),
    updatedAt: toIso(updatedAt),
    expiresAt: toIso(expiresAt),
  });
}

/** A membership as `settle_member` takes it. */
export function membershipFact(membership: OrganizationMembership): Json {
  const { id, publicUserData, role, createdAt, updatedAt } = membership;
  return toJson({
    id,
    userId: publicUserData?.userId,
    email: publicUserData?.identifier,
    role,
    createdAt: toIso(createdAt),
    updatedAt: toIso(updatedAt),
  });
}

/**
 * The pending invitations of an organization, by their addresses in lower case. The whole list: that
 * Clerk can filter it by address is not documented for the SDK.
 */
export async function readPending(
  clerk: ClerkClient,
  organizationId: string,
): Promise<Reply<ReadonlyMap<string, OrganizationInvitation>>> {
  const found = new Map<string, OrganizationInvitation>();
  for (let offset = 0;; offset += PAGE_SIZE) {
    const page = await askClerk(clerk.organizations.getOrganizationInvitationList({
      organizationId,
      status: ["pending"],
      limit: PAGE_SIZE,
      offset,
    }));
    if (page.kind !== "done") return page;
    for (const invitation of page.answer.data) {
      found.set(invitation.emailAddress.toLowerCase(), invitation);
    }
    if (page.answer.data.length < PAGE_SIZE) return { kind: "done", answer: found };
  }
}

/** A person's membership of an organization; null when Clerk has none. */
export async function findMembership(
  clerk: ClerkClient,
  organizationId: string,
  userId: string,
): Promise<Reply<OrganizationMembership | null>> {
  const page = await askClerk(
    clerk.organizations.getOrganizationMembershipList({ organizationId, userId: [userId] }),
  );
  if (page.kind !== "done") return page;
  const membership = page.answer.data.find((one) => one.publicUserData?.userId === userId);
  return { kind: "done", answer: membership ?? null };
}

function toIso(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
