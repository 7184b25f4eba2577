import type { DeletedObjectJSON } from "@clerk/backend";
import { type Context, Hono } from "hono";
import { z } from "zod";
import { creatorNotFound, identifierTaken } from "./errors.ts";
import { newId } from "./ids.ts";
import type { ClerkInstance } from "./instance.ts";
import { organizationById, placesTaken } from "./lookups.ts";
import { addMembership } from "./memberships.ts";
import { mergeMetadata } from "./metadata.ts";
import { metadataInput, pageOf, queryList, readBody } from "./requests.ts";
import type { OrganizationRecord } from "./state.ts";
import { organizationJson } from "./views.ts";
import { causeOf, type EventCause } from "./webhooks.ts";

const name = z.string().min(1).max(256);
const slug = z.string().regex(/^[a-z0-9-]+$/).nullish();
const limit = z.int().min(0).nullish();
const metadata = {
  public_metadata: metadataInput.nullish(),
  private_metadata: metadataInput.nullish(),
};
const createInput = z.object({
  name,
  slug,
  created_by: z.string().nullish(),
  max_allowed_memberships: limit,
  ...metadata,
});
const updateInput = z.strictObject({
  name: name.nullish(),
  slug,
  max_allowed_memberships: limit,
  admin_delete_enabled: z.boolean().nullish(),
  ...metadata,
});
const metadataOnly = z.strictObject(metadata);

/**
 * Creates an organization; its creator becomes its admin. Without a limit it is unlimited, as in an
 * instance whose default membership limit was lifted. Throws a 400 or a 422.
 */
export function createOrganization(
  clerk: ClerkInstance,
  input: z.output<typeof createInput>,
  cause: EventCause,
): OrganizationRecord {
  const creator = input.created_by ?? null;
  if (creator !== null && clerk.state.users.get(creator) === undefined) {
    throw creatorNotFound(creator);
  }
  const id = newId("org");
  const now = Date.now();
  const organization: OrganizationRecord = {
    id,
    name: input.name,
    slug: input.slug ?? `${slugOf(input.name)}-${id.slice(-10).toLowerCase()}`,
    max_allowed_memberships: input.max_allowed_memberships ?? 0,
    admin_delete_enabled: true,
    public_metadata: input.public_metadata ?? {},
    private_metadata: input.private_metadata ?? {},
    created_by: creator,
    created_at: now,
    updated_at: now,
  };
  requireFreeSlug(clerk, organization);
  clerk.state.organizations.put(organization);
  clerk.changed();
  const data = organizationJson(clerk, organization, true);
  clerk.emit({ type: "organization.created", data }, cause);
  if (creator !== null) {
    addMembership(clerk, { organization_id: id, user_id: creator, role: "org:admin" }, cause);
  }
  return organization;
}

/**
 * Changes an organization. A limit below what is in use is taken and removes nobody (what Clerk
 * does then is not documented); further additions are refused.
 */
export function updateOrganization(
  clerk: ClerkInstance,
  organization: OrganizationRecord,
  input: Partial<OrganizationRecord>,
  cause: EventCause,
): OrganizationRecord {
  const changed = { ...organization, ...input, updated_at: Date.now() };
  requireFreeSlug(clerk, changed);
  clerk.state.organizations.put(changed);
  clerk.changed();
  const data = organizationJson(clerk, changed, true);
  clerk.emit({ type: "organization.updated", data }, cause);
  return changed;
}

/**
 * Deletes an organization with its memberships and invitations. Only the organization's own event
 * is sent: whether Clerk sends the memberships' as well is not documented.
 */
export function deleteOrganization(
  clerk: ClerkInstance,
  organization: OrganizationRecord,
  cause: EventCause,
): DeletedObjectJSON {
  const { id, slug } = organization;
  const { memberships, invitations, organizations, sessions } = clerk.state;
  for (const records of [memberships, invitations]) {
    for (const record of records.of(id)) records.delete(record.id);
  }
  for (const session of Object.values(sessions)) {
    if (session.last_active_organization_id === id) session.last_active_organization_id = null;
  }
  organizations.delete(id);
  clerk.changed();
  const data: DeletedObjectJSON = { object: "organization", id, slug, deleted: true };
  clerk.emit({ type: "organization.deleted", data }, cause);
  return data;
}

function slugOf(text: string): string {
  return text.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-").replaceAll(/^-|-$/g, "") || "org";
}

function requireFreeSlug({ state }: ClerkInstance, { id, slug }: OrganizationRecord): void {
  if (state.organizations.of(slug).some((one) => one.id !== id)) throw identifierTaken("slug");
}

/** What was given, without what was left out or null. */
function given<T extends object>(input: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(
    Object.entries(input).filter(([, value]) => value !== undefined && value !== null),
  ) as { [K in keyof T]?: NonNullable<T[K]> };
}

/** The API's `/v1/organizations`, without memberships and invitations. */
export function organizationRoutes(clerk: ClerkInstance): Hono {
  const app = new Hono();
  const withCounts = (c: Context) => c.req.query("include_members_count") === "true";
  const show = (organization: OrganizationRecord, counts = false) =>
    organizationJson(clerk, organization, counts);
  app.get("/", (c) => {
    const ids = queryList(c, "organization_id");
    const query = c.req.query("query")?.toLowerCase();
    const found = clerk.state.organizations.values().filter((one) =>
      (ids.length === 0 || ids.includes(one.id)) &&
      (query === undefined || one.id.toLowerCase() === query ||
        one.name.toLowerCase().includes(query) || one.slug.includes(query))
    ).toArray();
    const { data, total_count } = pageOf(c, found, {
      created_at: (one) => one.created_at,
      name: (one) => one.name,
      members_count: (one) => placesTaken(clerk, one.id).members,
    });
    return c.json({ data: data.map((one) => show(one, withCounts(c))), total_count });
  });
  app.post("/", async (c) => {
    const input = await readBody(c, createInput);
    return c.json(show(createOrganization(clerk, input, causeOf(c))));
  });
  app.get("/:id", (c) => {
    const wanted = c.req.param("id");
    const [bySlug] = clerk.state.organizations.of(wanted);
    return c.json(show(bySlug ?? organizationById(clerk, wanted), withCounts(c)));
  });
  app.patch("/:id", async (c) => {
    const input = given(await readBody(c, updateInput));
    const organization = organizationById(clerk, c.req.param("id"));
    return c.json(show(updateOrganization(clerk, organization, input, causeOf(c))));
  });
  app.on(["PATCH", "PUT"], "/:id/metadata", async (c) => {
    const input = given(await readBody(c, metadataOnly));
    const organization = organizationById(clerk, c.req.param("id"));
    const merged = c.req.method === "PUT" ? input : mergeMetadata(organization, input);
    return c.json(show(updateOrganization(clerk, organization, merged, causeOf(c))));
  });
  app.delete("/:id", (c) => {
    const organization = organizationById(clerk, c.req.param("id"));
    return c.json(deleteOrganization(clerk, organization, causeOf(c)));
  });
  return app;
}
