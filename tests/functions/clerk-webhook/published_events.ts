/*
 * Events as Clerk's documentation publishes them (webhooks: event payloads), with times in
 * milliseconds but for the envelope's, which the examples have in seconds. What the examples leave
 * out is left out here: nothing but these fields may be relied on.
 */

/** An event of Clerk's. */
export type PublishedEvent = Readonly<Record<string, unknown>> & { readonly type: string };

/** The Clerk ids of an organization and of someone who is invited and joins. */
export interface Cast {
  readonly organizationId: string;
  readonly ownerId: string;
  readonly inviteeId: string;
  readonly invitationId: string;
  readonly email: string;
  /** When the organization was created, in milliseconds. */
  readonly at: number;
}

/** People and an organization that no other test knows. */
export function newCast(): Cast {
  const name = crypto.randomUUID().replaceAll("-", "");
  return {
    organizationId: `org_${name}`,
    ownerId: `user_owner${name}`,
    inviteeId: `user_invitee${name}`,
    invitationId: `orginv_${name}`,
    email: `invitee.${name}@example.org`,
    at: Date.now() - 3_600_000,
  };
}

function event(type: string, data: object, milliseconds: number): PublishedEvent {
  return {
    data,
    event_attributes: { http_request: { client_ip: "0.0.0.0", user_agent: "" } },
    instance_id: "ins_2g7np7Hrk0SN6kj5EDMLDaKNL0S",
    object: "event",
    timestamp: Math.floor(milliseconds / 1000),
    type,
  };
}

function organization({ organizationId, ownerId, at }: Cast, name: string, updatedAt: number) {
  return {
    created_at: at,
    created_by: ownerId,
    id: organizationId,
    image_url: "https://img.clerk.com/xxxxxx",
    name,
    object: "organization",
    public_metadata: {},
    slug: name.toLowerCase().replaceAll(" ", "-"),
    updated_at: updatedAt,
  };
}

/** The organization is created under the name “Acme Inc”. */
export function organizationCreated(cast: Cast): PublishedEvent {
  return event("organization.created", organization(cast, "Acme Inc", cast.at), cast.at);
}

/** The organization gets another name, `seconds` after it was created. */
export function organizationUpdated(cast: Cast, name: string, seconds: number): PublishedEvent {
  const at = cast.at + seconds * 1000;
  return event("organization.updated", organization(cast, name, at), at);
}

/** The organization is deleted. */
export function organizationDeleted(cast: Cast, seconds: number): PublishedEvent {
  const data = { deleted: true, id: cast.organizationId, object: "organization" };
  return event("organization.deleted", data, cast.at + seconds * 1000);
}

/** What happens to a membership; without a role, its person is a plain member. */
export interface MembershipHappening {
  readonly what: "created" | "updated" | "deleted";
  readonly who: "owner" | "invitee";
  readonly role?: string;
  /** Since the organization was created. */
  readonly seconds: number;
  /** The membership's creation, since that of the organization; `seconds` unless given. */
  readonly madeAfter?: number;
}

/** An event about the membership of the owner or the invitee. */
export function membershipEvent(cast: Cast, happening: MembershipHappening): PublishedEvent {
  const { what, who, role = "org:member", seconds, madeAfter = seconds } = happening;
  const isOwner = who === "owner";
  const userId = isOwner ? cast.ownerId : cast.inviteeId;
  const at = cast.at + seconds * 1000;
  const data = {
    created_at: cast.at + madeAfter * 1000,
    id: `orgmem_${madeAfter}_${userId}`,
    object: "organization_membership",
    organization: organization(cast, "Acme Inc", cast.at),
    public_user_data: {
      first_name: "Example",
      identifier: isOwner ? `owner.${cast.email}` : cast.email,
      image_url: "https://img.clerk.com/xxxxxx",
      last_name: "Example",
      user_id: userId,
    },
    role: isOwner ? "org:admin" : role,
    updated_at: at,
  };
  return event(`organizationMembership.${what}`, data, at);
}

/** An event about the one invitation, made `madeAfter` seconds after the organization. */
export function invitationEvent(
  cast: Cast,
  what: "created" | "accepted" | "revoked",
  seconds: number,
  madeAfter = seconds,
): PublishedEvent {
  const at = cast.at + seconds * 1000;
  const data = {
    created_at: cast.at + madeAfter * 1000,
    email_address: cast.email,
    id: cast.invitationId,
    object: "organization_invitation",
    organization_id: cast.organizationId,
    role: "org:member",
    status: what === "created" ? "pending" : what,
    updated_at: at,
    ...(what === "accepted" ? { user_id: cast.inviteeId } : {}),
  };
  return event(`organizationInvitation.${what}`, data, at);
}
