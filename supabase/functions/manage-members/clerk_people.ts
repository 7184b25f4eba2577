import type { ClerkClient, OrganizationInvitation, OrganizationMembership } from "@clerk/backend";
import { CLERK_PAGE_SIZE } from "../_shared/clerk.ts";
import { askClerk, type Reply } from "./clerk_reply.ts";

/**
 * The pending invitations of an organization, by their addresses in lower case. The whole list: that
 * Clerk can filter it by address is not documented for the SDK.
 */
export async function readPending(
  clerk: ClerkClient,
  organizationId: string,
): Promise<Reply<ReadonlyMap<string, OrganizationInvitation>>> {
  const found = new Map<string, OrganizationInvitation>();
  for (let offset = 0;; offset += CLERK_PAGE_SIZE) {
    const page = await askClerk(clerk.organizations.getOrganizationInvitationList({
      organizationId,
      status: ["pending"],
      limit: CLERK_PAGE_SIZE,
      offset,
    }));
    if (page.kind !== "done") return page;
    for (const invitation of page.answer.data) {
      found.set(invitation.emailAddress.toLowerCase(), invitation);
    }
    if (page.answer.data.length < CLERK_PAGE_SIZE) return { kind: "done", answer: found };
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
