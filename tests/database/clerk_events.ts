import type {
  OrganizationInvitationJSON,
  OrganizationJSON,
  OrganizationMembershipJSON,
} from "@clerk/backend";
import type { WebhookEvent } from "@clerk/backend/webhooks";
import { randomId } from "./random_id.ts";

/** An event as Clerk publishes it: the SDK's type, and what the envelope carries besides. */
export type ClerkEvent = WebhookEvent & { timestamp: number; instance_id: string };

/** An organization at a moment. Times are Clerk's, in milliseconds. */
export interface ClerkOrganization {
  readonly id: string;
  readonly name: string;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** A membership at a moment. */
export interface ClerkMembership {
  readonly id: string;
  readonly organization: ClerkOrganization;
  readonly userId: string;
  readonly email: string;
  readonly role: "org:admin" | "org:member";
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** An invitation at a moment. */
export interface ClerkInvitation {
  readonly id: string;
  readonly organizationId: string;
  readonly email: string;
  readonly role: "org:admin" | "org:member";
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly expiresAt: number;
}

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const BEGINNING = Math.floor(Date.now() / MINUTE) * MINUTE - 120 * MINUTE;

/** A time of Clerk's: so many minutes after a moment two hours ago. */
export function minute(count: number): number {
  return BEGINNING + count * MINUTE;
}

/** An organization that Clerk made at minute 0. */
export function clerkOrganization(id: string = randomId("org"), name = "Acme"): ClerkOrganization {
  return { id, name, createdAt: minute(0), updatedAt: minute(0) };
}

/** A membership that Clerk made at this time. */
export function clerkMembership(
  organization: ClerkOrganization,
  name: string,
  createdAt: number,
): ClerkMembership {
  return {
    id: randomId("orgmem"),
    organization,
    userId: `user_${name}`,
    email: `${name}@example.com`,
    role: "org:member",
    createdAt,
    updatedAt: createdAt,
  };
}

/** An invitation that Clerk made at this time, for thirty days. */
export function clerkInvitation(
  organization: { readonly id: string },
  name: string,
  createdAt: number,
): ClerkInvitation {
  return {
    id: randomId("orginv"),
    organizationId: organization.id,
    email: `${name}@example.com`,
    role: "org:member",
    createdAt,
    updatedAt: createdAt,
    expiresAt: createdAt + 30 * DAY,
  };
}

/** `organization.created` or `.updated`. */
export function organizationEvent(
  type: "created" | "updated",
  organization: ClerkOrganization,
): ClerkEvent {
  return {
    ...envelope(organization.updatedAt),
    type: `organization.${type}`,
    data: organizationJson(organization),
  };
}

/** `organization.deleted`, which carries next to nothing. */
export function organizationDeleted(organization: ClerkOrganization, at: number): ClerkEvent {
  return {
    ...envelope(at),
    type: "organization.deleted",
    data: { object: "organization", id: organization.id, slug: "acme", deleted: true },
  };
}

/** `organizationMembership.created`, `.updated` or `.deleted`, which carries the whole as well. */
export function membershipEvent(
  type: "created" | "updated" | "deleted",
  membership: ClerkMembership,
): ClerkEvent {
  return {
    ...envelope(membership.updatedAt),
    type: `organizationMembership.${type}`,
    data: membershipJson(membership),
  };
}

/** `organizationInvitation.created` or `.revoked`. */
export function invitationEvent(
  type: "created" | "revoked",
  invitation: ClerkInvitation,
): ClerkEvent {
  return {
    ...envelope(invitation.updatedAt),
    type: `organizationInvitation.${type}`,
    data: { ...invitationJson(invitation), status: type === "created" ? "pending" : "revoked" },
  };
}

/** `organizationInvitation.accepted`, which says by whom. */
export function invitationAccepted(
  invitation: ClerkInvitation,
  userId: string,
  at: number,
): ClerkEvent {
  return {
    ...envelope(at),
    type: "organizationInvitation.accepted",
    data: {
      ...invitationJson({ ...invitation, updatedAt: at }),
      status: "accepted",
      user_id: userId,
    },
  };
}

function envelope(at: number) {
  return {
    object: "event" as const,
    timestamp: at,
    instance_id: "ins_local",
    event_attributes: { http_request: { client_ip: "127.0.0.1", user_agent: "tests" } },
  };
}

function organizationJson(organization: ClerkOrganization): OrganizationJSON {
  return {
    object: "organization",
    id: organization.id,
    name: organization.name,
    slug: organization.name.toLowerCase().replaceAll(" ", "-"),
    image_url: "https://img.example.com/organization",
    has_image: false,
    max_allowed_memberships: 5,
    admin_delete_enabled: true,
    public_metadata: {},
    created_by: "user_owner",
    created_at: organization.createdAt,
    updated_at: organization.updatedAt,
  };
}

function membershipJson(membership: ClerkMembership): OrganizationMembershipJSON {
  return {
    object: "organization_membership",
    id: membership.id,
    public_metadata: {},
    role: membership.role,
    permissions: [],
    organization: organizationJson(membership.organization),
    public_user_data: {
      identifier: membership.email,
      first_name: null,
      last_name: null,
      image_url: "https://img.example.com/user",
      has_image: false,
      user_id: membership.userId,
    },
    created_at: membership.createdAt,
    updated_at: membership.updatedAt,
  };
}

function invitationJson(
  invitation: ClerkInvitation,
): OrganizationInvitationJSON & { inviter_id: string } {
  return {
    object: "organization_invitation",
    id: invitation.id,
    email_address: invitation.email,
    role: invitation.role,
    role_name: invitation.role === "org:admin" ? "Admin" : "Member",
    organization_id: invitation.organizationId,
    inviter_id: "user_owner",
    public_metadata: {},
    private_metadata: {},
    url: null,
    created_at: invitation.createdAt,
    updated_at: invitation.updatedAt,
    expires_at: invitation.expiresAt,
  };
}
