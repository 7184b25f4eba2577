import type { UserJSON } from "@clerk/backend";
import { invitationNotFound, notFound } from "./errors.ts";
import type { ClerkInstance } from "./instance.ts";
import type { InvitationRecord, MembershipRecord, OrganizationRecord } from "./state.ts";

/** The user with this id. Throws a 404. */
export function userById({ state }: ClerkInstance, id: string): UserJSON {
  const user = state.users.get(id);
  if (user === undefined) throw notFound(`No user was found with id ${id}`);
  return user;
}

/** The user who has this e-mail address, whatever its case. */
export function userByEmail({ state }: ClerkInstance, address: string): UserJSON | undefined {
  return state.users.of(address.toLowerCase())[0];
}

/** Says whether an e-mail address is this user's, whatever its case. */
export function hasEmail(user: UserJSON, address: string): boolean {
  const wanted = address.toLowerCase();
  return user.email_addresses.some((one) => one.email_address.toLowerCase() === wanted);
}

/** Says whether a user's id, names or e-mail addresses contain the text, whatever its case. */
export function userMatches(user: UserJSON, query: string): boolean {
  const texts = [
    user.id,
    `${user.first_name ?? ""} ${user.last_name ?? ""}`,
    user.username ?? "",
    ...user.email_addresses.map((one) => one.email_address),
  ];
  return texts.some((text) => text.toLowerCase().includes(query.toLowerCase()));
}

/** The organization with this id. Throws a 404. */
export function organizationById({ state }: ClerkInstance, id: string): OrganizationRecord {
  const organization = state.organizations.get(id);
  if (organization === undefined) throw notFound("Given organization not found.");
  return organization;
}

/** How many people hold a place, and how many places are held by invitations that may still come. */
export function placesTaken(
  { state }: ClerkInstance,
  organizationId: string,
): { members: number; pending: number } {
  const invitations = state.invitations.of(organizationId);
  return {
    members: state.memberships.of(organizationId).length,
    pending: invitations.filter((one) => invitationStatus(one) === "pending").length,
  };
}

/** This user's membership in this organization, if there is one. */
export function membershipOf(
  { state }: ClerkInstance,
  organizationId: string,
  userId: string,
): MembershipRecord | undefined {
  return state.memberships.of(organizationId).find((one) => one.user_id === userId);
}

/** A user's memberships, oldest first. */
export function membershipsOf({ state }: ClerkInstance, userId: string): MembershipRecord[] {
  return state.memberships.values().filter((one) => one.user_id === userId).toArray();
}

/** The invitation with this id. Throws a 404. */
export function invitationById({ state }: ClerkInstance, id: string): InvitationRecord {
  const invitation = state.invitations.get(id);
  if (invitation === undefined) throw invitationNotFound(id);
  return invitation;
}

/** Where an invitation stands now: Clerk tells nobody when one expires. */
export function invitationStatus(
  { status, expires_at }: InvitationRecord,
): InvitationRecord["status"] | "expired" {
  return status === "pending" && expires_at <= Date.now() ? "expired" : status;
}
