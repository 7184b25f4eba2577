import { Hono } from "hono";
import { z } from "zod";
import {
  alreadyMember,
  bulkTooLarge,
  invitationNotFound,
  invitationNotPending,
  invitationNotUnique,
  missingPermission,
  notAMember,
} from "./errors.ts";
import { newId } from "./ids.ts";
import type { ClerkInstance } from "./instance.ts";
import {
  invitationById,
  invitationStatus,
  membershipOf,
  organizationById,
  userByEmail,
} from "./lookups.ts";
import { addMembership, requireRoom } from "./memberships.ts";
import { metadataInput, pageOf, queryList, readBody } from "./requests.ts";
import { MANAGE_MEMBERSHIPS, roleByKey } from "./roles.ts";
import type { InvitationRecord, MembershipRecord } from "./state.ts";
import { invitationJson } from "./views.ts";
import { causeOf, type EventCause } from "./webhooks.ts";

const DAY_MS = 86_400_000;
const DEFAULT_EXPIRY_DAYS = 30;
const BULK_LIMIT = 10;

const invitationInput = z.object({
  email_address: z.email(),
  role: z.string(),
  inviter_user_id: z.string().nullish(),
  public_metadata: metadataInput.nullish(),
  private_metadata: metadataInput.nullish(),
  redirect_url: z.string().nullish(),
  expires_in_days: z.int().min(1).max(365).nullish(),
});
type InvitationInput = z.output<typeof invitationInput>;
const bulkInput = z.array(invitationInput).min(1);
const revokeInput = z.object({ requesting_user_id: z.string().nullish() });

/**
 * Invites people: all of them, or none and a refusal. Throws a 403 when the organization has no
 * room for them (unless its limit is `ignored`) or an inviter may not invite, and a 400 for who is
 * invited or a member already.
 */
export function createInvitations(
  clerk: ClerkInstance,
  organizationId: string,
  inputs: InvitationInput[],
  cause: EventCause,
  limit: "kept" | "ignored" = "kept",
): InvitationRecord[] {
  const { id } = organizationById(clerk, organizationId);
  const addresses = new Set(inputs.map((input) => input.email_address.toLowerCase()));
  if (addresses.size < inputs.length) throw invitationNotUnique();
  for (const input of inputs) requireInvitable(clerk, id, input);
  if (limit === "kept") requireRoom(clerk, id, inputs.length);
  return inputs.map((input) => {
    const invitation = newInvitation(id, input);
    clerk.state.invitations.put(invitation);
    clerk.changed();
    const data = invitationJson(clerk, invitation);
    clerk.emit({ type: "organizationInvitation.created", data }, cause);
    return invitation;
  });
}

function newInvitation(organizationId: string, input: InvitationInput): InvitationRecord {
  const now = Date.now();
  return {
    id: newId("orginv"),
    organization_id: organizationId,
    email_address: input.email_address,
    role: input.role,
    inviter_id: input.inviter_user_id ?? null,
    status: "pending",
    public_metadata: input.public_metadata ?? {},
    private_metadata: input.private_metadata ?? {},
    created_at: now,
    updated_at: now,
    expires_at: now + (input.expires_in_days ?? DEFAULT_EXPIRY_DAYS) * DAY_MS,
  };
}

function requireInvitable(clerk: ClerkInstance, id: string, input: InvitationInput): void {
  const { email_address, inviter_user_id, role } = input;
  roleByKey(role);
  if (inviter_user_id != null) requireManager(clerk, id, inviter_user_id);
  const invitee = userByEmail(clerk, email_address);
  if (invitee !== undefined && membershipOf(clerk, id, invitee.id) !== undefined) {
    throw alreadyMember(email_address);
  }
  const invited = clerk.state.invitations.of(id).some((one) =>
    invitationStatus(one) === "pending" &&
    one.email_address.toLowerCase() === email_address.toLowerCase()
  );
  if (invited) throw invitationNotUnique();
}

function requireManager(clerk: ClerkInstance, organizationId: string, userId: string): void {
  const membership = membershipOf(clerk, organizationId, userId);
  if (membership === undefined) throw notAMember();
  if (!roleByKey(membership.role).permissions.includes(MANAGE_MEMBERSHIPS)) {
    throw missingPermission(MANAGE_MEMBERSHIPS);
  }
}

/** Revokes a pending invitation. Throws a 404 for any other. */
export function revokeInvitation(
  clerk: ClerkInstance,
  invitation: InvitationRecord,
  cause: EventCause,
): void {
  if (invitationStatus(invitation) !== "pending") throw invitationNotPending();
  invitation.status = "revoked";
  invitation.updated_at = Date.now();
  clerk.changed();
  const data = invitationJson(clerk, invitation);
  clerk.emit({ type: "organizationInvitation.revoked", data }, cause);
}

/**
 * Makes a member of the invitee. The place was counted while the invitation was pending, so no
 * limit is looked at, also where it was lowered meanwhile (not documented). Throws a 404 for an
 * invitation that is not pending, a 400 when this user is a member already.
 */
export function acceptInvitation(
  clerk: ClerkInstance,
  invitation: InvitationRecord,
  userId: string,
  cause: EventCause,
): MembershipRecord {
  if (invitationStatus(invitation) !== "pending") throw invitationNotPending();
  if (membershipOf(clerk, invitation.organization_id, userId) !== undefined) {
    throw alreadyMember(`User ${userId}`);
  }
  invitation.status = "accepted";
  invitation.updated_at = Date.now();
  const data = {
    ...invitationJson(clerk, invitation),
    status: "accepted",
    user_id: userId,
  } as const;
  clerk.emit({ type: "organizationInvitation.accepted", data }, cause);
  const { organization_id, role, public_metadata, private_metadata } = invitation;
  return addMembership(
    clerk,
    { organization_id, user_id: userId, role, public_metadata, private_metadata },
    cause,
  );
}

/** The API's `/v1/organizations/:organization/invitations`. */
export function invitationRoutes(clerk: ClerkInstance): Hono {
  const app = new Hono().basePath("/:organization/invitations");
  const invitation = (organizationId: string, id: string) => {
    const found = invitationById(clerk, id);
    if (found.organization_id !== organizationId) throw invitationNotFound(id);
    return found;
  };
  const show = (one: InvitationRecord) => invitationJson(clerk, one);
  app.get("/", (c) => {
    const { id } = organizationById(clerk, c.req.param("organization"));
    const statuses = queryList(c, "status");
    const address = c.req.query("email_address")?.toLowerCase();
    const found = clerk.state.invitations.of(id).filter((one) =>
      (statuses.length === 0 || statuses.includes(invitationStatus(one))) &&
      (address === undefined || one.email_address.toLowerCase() === address)
    );
    const { data, total_count } = pageOf(c, found, {
      created_at: (one) => one.created_at,
      email_address: (one) => one.email_address,
    });
    return c.json({ data: data.map(show), total_count });
  });
  app.post("/", async (c) => {
    const input = await readBody(c, invitationInput);
    const id = c.req.param("organization");
    const [created] = createInvitations(clerk, id, [input], causeOf(c));
    return c.json(created && show(created));
  });
  app.post("/bulk", async (c) => {
    const inputs = await readBody(c, bulkInput);
    if (inputs.length > BULK_LIMIT) throw bulkTooLarge(BULK_LIMIT);
    const created = createInvitations(clerk, c.req.param("organization"), inputs, causeOf(c));
    return c.json({ data: created.map(show), total_count: created.length });
  });
  app.get("/:id", (c) => c.json(show(invitation(c.req.param("organization"), c.req.param("id")))));
  app.post("/:id/revoke", async (c) => {
    const { requesting_user_id } = await readBody(c, revokeInput);
    const found = invitation(c.req.param("organization"), c.req.param("id"));
    if (requesting_user_id != null) {
      requireManager(clerk, found.organization_id, requesting_user_id);
    }
    revokeInvitation(clerk, found, causeOf(c));
    return c.json(show(found));
  });
  return app;
}
