import type { OrganizationMembershipJSON } from "@clerk/backend";
import { Hono } from "hono";
import { z } from "zod";
import { alreadyMember, minimumPermissionsNeeded, notFound, quotaExceeded } from "./errors.ts";
import { newId } from "./ids.ts";
import type { ClerkInstance } from "./instance.ts";
import { membershipOf, organizationById, placesTaken, userById, userMatches } from "./lookups.ts";
import { mergeMetadata } from "./metadata.ts";
import { metadataInput, type Orders, pageOf, queryList, readBody } from "./requests.ts";
import { canManage, roleByKey } from "./roles.ts";
import type { MembershipRecord, Metadata } from "./state.ts";
import { membershipJson } from "./views.ts";
import { causeOf, type EventCause } from "./webhooks.ts";

const metadata = {
  public_metadata: metadataInput.nullish(),
  private_metadata: metadataInput.nullish(),
};
const createInput = z.object({ user_id: z.string(), role: z.string(), ...metadata });
const updateInput = z.object({ role: z.string() });
const metadataOnly = z.strictObject(metadata);

/** What a new membership is made of. */
export interface NewMembership {
  organization_id: string;
  user_id: string;
  role: string;
  public_metadata?: Metadata | null | undefined;
  private_metadata?: Metadata | null | undefined;
}

/**
 * Refuses when the organization's limit leaves no room for `more` people. 0 is no limit; pending
 * invitations hold a place.
 */
export function requireRoom(clerk: ClerkInstance, organizationId: string, more: number): void {
  const limit = organizationById(clerk, organizationId).max_allowed_memberships;
  const { members, pending } = placesTaken(clerk, organizationId);
  if (limit !== 0 && members + pending + more > limit) throw quotaExceeded(limit);
}

/** Refuses when nobody but this member can manage the organization. */
function requireAnotherManager({ state }: ClerkInstance, membership: MembershipRecord): void {
  const left = state.memberships.of(membership.organization_id)
    .some((one) => one !== membership && canManage(one.role));
  if (canManage(membership.role) && !left) throw minimumPermissionsNeeded();
}

/** Adds a member, whatever the limit. Throws a 400 for a member, a 404 for an unknown user or role. */
export function addMembership(
  clerk: ClerkInstance,
  input: NewMembership,
  cause: EventCause,
): MembershipRecord {
  const { organization_id, user_id, role } = input;
  userById(clerk, user_id);
  roleByKey(role);
  if (membershipOf(clerk, organization_id, user_id) !== undefined) {
    throw alreadyMember(`User ${user_id}`);
  }
  const now = Date.now();
  const membership: MembershipRecord = {
    id: newId("orgmem"),
    organization_id,
    user_id,
    role,
    public_metadata: input.public_metadata ?? {},
    private_metadata: input.private_metadata ?? {},
    created_at: now,
    updated_at: now,
  };
  clerk.state.memberships.put(membership);
  clerk.changed();
  const data = membershipJson(clerk, membership);
  clerk.emit({ type: "organizationMembership.created", data }, cause);
  return membership;
}

/** Removes a member; the event and the answer carry the whole membership as it was. */
export function removeMembership(
  clerk: ClerkInstance,
  membership: MembershipRecord,
  cause: EventCause,
): OrganizationMembershipJSON {
  const { memberships, sessions } = clerk.state;
  memberships.delete(membership.id);
  for (const session of Object.values(sessions)) {
    const inside = session.user_id === membership.user_id &&
      session.last_active_organization_id === membership.organization_id;
    if (inside) session.last_active_organization_id = null;
  }
  clerk.changed();
  const data = membershipJson(clerk, membership);
  clerk.emit({ type: "organizationMembership.deleted", data }, cause);
  return data;
}

function updateMembership(
  clerk: ClerkInstance,
  membership: MembershipRecord,
  change: Partial<MembershipRecord>,
  cause: EventCause,
): OrganizationMembershipJSON {
  Object.assign(membership, change, { updated_at: Date.now() });
  clerk.changed();
  const data = membershipJson(clerk, membership);
  clerk.emit({ type: "organizationMembership.updated", data }, cause);
  return data;
}

/** What lists of memberships can be ordered by. */
export function membershipOrders(clerk: ClerkInstance): Orders<MembershipRecord> {
  const user = (one: MembershipRecord) => userById(clerk, one.user_id);
  return {
    created_at: (one) => one.created_at,
    email_address: (one) => user(one).email_addresses[0]?.email_address ?? "",
    first_name: (one) => user(one).first_name ?? "",
    last_name: (one) => user(one).last_name ?? "",
    username: (one) => user(one).username ?? "",
    phone_number: () => "",
  };
}

/** The API's `/v1/organizations/:organization/memberships`. */
export function membershipRoutes(clerk: ClerkInstance): Hono {
  const app = new Hono().basePath("/:organization");
  const member = (organizationId: string, userId: string) => {
    const found = membershipOf(clerk, organizationById(clerk, organizationId).id, userId);
    if (found === undefined) throw notFound("Organization membership not found.");
    return found;
  };
  app.get("/memberships", (c) => {
    const { id } = organizationById(clerk, c.req.param("organization"));
    const [users, roles] = [queryList(c, "user_id"), queryList(c, "role")];
    const emails = queryList(c, "email_address").map((address) => address.toLowerCase());
    const query = c.req.query("query");
    const found = clerk.state.memberships.of(id).filter((one) => {
      const user = userById(clerk, one.user_id);
      return (users.length === 0 || users.includes(one.user_id)) &&
        (roles.length === 0 || roles.includes(one.role)) &&
        (emails.length === 0 ||
          user.email_addresses.some((e) => emails.includes(e.email_address.toLowerCase()))) &&
        (query === undefined || userMatches(user, query));
    });
    const { data, total_count } = pageOf(c, found, membershipOrders(clerk));
    return c.json({ data: data.map((one) => membershipJson(clerk, one)), total_count });
  });
  app.post("/memberships", async (c) => {
    const input = await readBody(c, createInput);
    const { id } = organizationById(clerk, c.req.param("organization"));
    if (membershipOf(clerk, id, input.user_id) === undefined) requireRoom(clerk, id, 1);
    const created = addMembership(clerk, { organization_id: id, ...input }, causeOf(c));
    return c.json(membershipJson(clerk, created));
  });
  app.patch("/memberships/:user", async (c) => {
    const { role } = await readBody(c, updateInput);
    roleByKey(role);
    const membership = member(c.req.param("organization"), c.req.param("user"));
    if (!canManage(role)) requireAnotherManager(clerk, membership);
    return c.json(updateMembership(clerk, membership, { role }, causeOf(c)));
  });
  app.patch("/memberships/:user/metadata", async (c) => {
    const input = await readBody(c, metadataOnly);
    const membership = member(c.req.param("organization"), c.req.param("user"));
    const merged = mergeMetadata(membership, {
      ...(input.public_metadata && { public_metadata: input.public_metadata }),
      ...(input.private_metadata && { private_metadata: input.private_metadata }),
    });
    return c.json(updateMembership(clerk, membership, merged, causeOf(c)));
  });
  app.delete("/memberships/:user", (c) => {
    const membership = member(c.req.param("organization"), c.req.param("user"));
    requireAnotherManager(clerk, membership);
    return c.json(removeMembership(clerk, membership, causeOf(c)));
  });
  return app;
}
