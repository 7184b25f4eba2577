import type { OrganizationInvitation, OrganizationMembership } from "@clerk/backend";

/** What Clerk says of somebody, in the words that the database takes it in. */
export type ClerkFact = Readonly<Record<string, string | null>>;

/** An invitation as `reconcile_organization` and `settle_invitations` take it. */
export function invitationFact(invitation: OrganizationInvitation): ClerkFact {
  const { id, emailAddress, role, createdAt, updatedAt } = invitation;
  // Null for one that has no end, whatever its type says (Clerk: Backend API, OrganizationInvitation).
  const expiresAt: number | null = invitation.expiresAt;
  return {
    id,
    email: emailAddress,
    role,
    createdAt: toIso(createdAt),
    updatedAt: toIso(updatedAt),
    expiresAt: expiresAt === null ? "infinity" : toIso(expiresAt),
  };
}

/** A membership as `reconcile_organization` and `settle_member` take it. */
export function membershipFact(membership: OrganizationMembership): ClerkFact {
  const { id, publicUserData, role, createdAt, updatedAt } = membership;
  return {
    id,
    userId: publicUserData?.userId ?? null,
    email: publicUserData?.identifier ?? null,
    role,
    createdAt: toIso(createdAt),
    updatedAt: toIso(updatedAt),
  };
}

/** A time of Clerk's, which counts milliseconds. */
export function toIso(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
