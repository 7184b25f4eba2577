import type {
  OrganizationInvitationJSON,
  OrganizationJSON,
  OrganizationMembershipJSON,
} from "@clerk/backend";
import type { ClerkInstance } from "./instance.ts";
import { invitationStatus, organizationById, placesTaken, userById } from "./lookups.ts";
import { roleByKey } from "./roles.ts";
import type { InvitationRecord, MembershipRecord, OrganizationRecord } from "./state.ts";

/** An organization as the API shows it, with its counts or without. */
export function organizationJson(
  clerk: ClerkInstance,
  organization: OrganizationRecord,
  withCounts: boolean,
): OrganizationJSON {
  const { members, pending } = withCounts
    ? placesTaken(clerk, organization.id)
    : { members: 0, pending: 0 };
  return {
    object: "organization",
    id: organization.id,
    name: organization.name,
    slug: organization.slug,
    image_url: "https://img.clerk.com/emulated",
    has_image: false,
    ...(withCounts && { members_count: members, pending_invitations_count: pending }),
    max_allowed_memberships: organization.max_allowed_memberships,
    admin_delete_enabled: organization.admin_delete_enabled,
    public_metadata: organization.public_metadata,
    private_metadata: organization.private_metadata,
    ...(organization.created_by !== null && { created_by: organization.created_by }),
    created_at: organization.created_at,
    updated_at: organization.updated_at,
  };
}

/** A membership as the API and the events show it. */
export function membershipJson(
  clerk: ClerkInstance,
  membership: MembershipRecord,
): OrganizationMembershipJSON & { role_name: string } {
  const user = userById(clerk, membership.user_id);
  const role = roleByKey(membership.role);
  return {
    object: "organization_membership",
    id: membership.id,
    role: role.key,
    role_name: role.name,
    permissions: role.permissions,
    public_metadata: membership.public_metadata,
    private_metadata: membership.private_metadata,
    organization: organizationJson(
      clerk,
      organizationById(clerk, membership.organization_id),
      true,
    ),
    public_user_data: {
      user_id: user.id,
      identifier: user.email_addresses[0]?.email_address ?? user.id,
      first_name: user.first_name,
      last_name: user.last_name,
      image_url: user.image_url,
      has_image: user.has_image,
    },
    created_at: membership.created_at,
    updated_at: membership.updated_at,
  };
}

/** An invitation as the API and the events show it. */
export function invitationJson(
  clerk: ClerkInstance,
  invitation: InvitationRecord,
): OrganizationInvitationJSON & { inviter_id: string | null } {
  const organization = organizationJson(
    clerk,
    organizationById(clerk, invitation.organization_id),
    false,
  );
  return {
    object: "organization_invitation",
    id: invitation.id,
    email_address: invitation.email_address,
    role: invitation.role,
    role_name: roleByKey(invitation.role).name,
    organization_id: invitation.organization_id,
    public_organization_data: {
      object: "organization",
      id: organization.id,
      name: organization.name,
      slug: organization.slug,
      image_url: organization.image_url ?? "",
      has_image: organization.has_image,
    },
    inviter_id: invitation.inviter_id,
    status: invitationStatus(invitation),
    public_metadata: invitation.public_metadata,
    private_metadata: invitation.private_metadata,
    url: `${clerk.url}/v1/tickets/accept?ticket=${invitation.id}`,
    created_at: invitation.created_at,
    updated_at: invitation.updated_at,
    expires_at: invitation.expires_at,
  };
}
