import type { ClerkClient } from "@clerk/backend";
import type { Context, Hono } from "hono";
import * as z from "zod";
import { issuesOf, readCommand } from "../_shared/body.ts";
import { type Handler, withBoundary } from "../_shared/boundary.ts";
import type { ServiceClient } from "../_shared/database.ts";
import { ApiError } from "../_shared/errors.ts";
import { routesBelow } from "../_shared/routes.ts";
import { requireAdminSession, requireSession, type SessionSettings } from "../_shared/session.ts";
import { approveRequest } from "./approval.ts";
import { resendInvitation, revokeInvitation } from "./invitation_changes.ts";
import type { Inviter } from "./invitation_records.ts";
import { invitePeople } from "./invitations.ts";
import {
  readRequests,
  rejectRequest,
  replaceJoinCode,
  requestMembership,
  type RequestPage,
} from "./join_requests.ts";
import { changeMember } from "./members.ts";

/** What the handler works with. */
export interface Dependencies {
  readonly config: SessionSettings;
  readonly database: ServiceClient;
  readonly clerk: ClerkClient;
}

/** The largest body of an invitation, in bytes: 500 addresses of full length, and their roles. */
const INVITATIONS_BODY_LIMIT = 256 * 1024;

const role = z.string().min(1).max(128).regex(/^\P{Cc}+$/u);
const invitationsCommand = z.strictObject({
  invitations: z.array(
    z.strictObject({
      email: z.string().trim().max(254).pipe(z.email()),
      role: role.default("org:member"),
    }),
  ).min(1).max(500),
});
const roleCommand = z.strictObject({ role });
const joinCommand = z.strictObject({ joinCode: z.string().min(1).max(64).regex(/^\P{Cc}+$/u) });
const inviteQuery = z.object({ partial: z.enum(["true", "false"]).default("false") });
const page = z.object({
  limit: z.coerce.number().int().min(1).max(100).default(50),
  cursor: z.coerce.number().int().min(0).max(1_000_000).default(0),
});
const userId = z.string().min(1).max(255).regex(/^[A-Za-z0-9_-]+$/);

/**
 * Who is in an organization, and who is on the way in. All below `/manage-members`, for admins of
 * the organization but for the first:
 *
 * - `POST /join-requests` (any signed-in user): asks to join with a code.
 * - `POST /:organizationId/invitations`: invites 1 to 500 people; `?partial=true` as many as fit.
 * - `POST /:organizationId/invitations/:id/resend`, `DELETE /:organizationId/invitations/:id`.
 * - `PATCH /:organizationId/members/:userId` (role), `DELETE /:organizationId/members/:userId`.
 * - `GET /:organizationId/join-requests`, and `POST` to `…/:id/approve` and `…/:id/reject`.
 * - `POST /:organizationId/join-code`: replaces the code.
 */
export function createHandler(dependencies: Dependencies): Handler {
  const app = routes(dependencies);
  return withBoundary(
    "manage-members",
    ["GET", "POST", "PATCH", "DELETE"],
    async (request) => await app.fetch(request),
  );
}

/** The routes by themselves, whose errors are the boundary's to answer. */
export function routes(dependencies: Dependencies): Hono {
  const app = routesBelow("/manage-members");
  addJoinRoute(app, dependencies);
  addInvitationRoutes(app, dependencies);
  addMemberRoutes(app, dependencies);
  addRequestRoutes(app, dependencies);
  return app;
}

function addJoinRoute(app: Hono, dependencies: Dependencies): void {
  app.post("/join-requests", async (c) => {
    const session = await requireSession(c.req.raw, dependencies.config);
    const { joinCode } = await readCommand(c.req.raw, joinCommand);
    await requestMembership(dependencies, session, joinCode);
    return c.json({ status: "requested" }, 202);
  });
}

function addInvitationRoutes(app: Hono, dependencies: Dependencies): void {
  app.post("/:organizationId/invitations", async (c) => {
    const inviter = await requireInviter(c, dependencies);
    const { partial } = readQuery(c, inviteQuery);
    const wanted = await readCommand(c.req.raw, invitationsCommand, INVITATIONS_BODY_LIMIT);
    return c.json(
      await invitePeople(dependencies, inviter, wanted.invitations, partial === "true"),
    );
  });
  app.post("/:organizationId/invitations/:id/resend", async (c) => {
    const inviter = await requireInviter(c, dependencies);
    return c.json(await resendInvitation(dependencies, inviter, readId(c, "id")));
  });
  app.delete("/:organizationId/invitations/:id", async (c) => {
    const inviter = await requireInviter(c, dependencies);
    return c.json(await revokeInvitation(dependencies, inviter, readId(c, "id")));
  });
}

function addMemberRoutes(app: Hono, dependencies: Dependencies): void {
  app.patch("/:organizationId/members/:userId", async (c) => {
    const inviter = await requireInviter(c, dependencies);
    const wanted = await readCommand(c.req.raw, roleCommand);
    return c.json(await changeMember(dependencies, inviter, readUserId(c), wanted.role));
  });
  app.delete("/:organizationId/members/:userId", async (c) => {
    const inviter = await requireInviter(c, dependencies);
    return c.json(await changeMember(dependencies, inviter, readUserId(c), null));
  });
}

function addRequestRoutes(app: Hono, dependencies: Dependencies): void {
  app.get("/:organizationId/join-requests", async (c) => {
    const inviter = await requireInviter(c, dependencies);
    const wanted: RequestPage = readQuery(c, page);
    return c.json(await readRequests(dependencies, inviter, wanted));
  });
  app.post("/:organizationId/join-requests/:id/approve", async (c) => {
    const inviter = await requireInviter(c, dependencies);
    return c.json(await approveRequest(dependencies, inviter, readId(c, "id")));
  });
  app.post("/:organizationId/join-requests/:id/reject", async (c) => {
    const inviter = await requireInviter(c, dependencies);
    return c.json({ member: await rejectRequest(dependencies, inviter, readId(c, "id")) });
  });
  app.post("/:organizationId/join-code", async (c) => {
    const { organizationId, session } = await requireInviter(c, dependencies);
    return c.json({ joinCode: await replaceJoinCode(dependencies, organizationId, session) });
  });
}

/** An admin's session, and the organization that is asked about. That it is the same is for SQL. */
async function requireInviter(c: Context, { config }: Dependencies): Promise<Inviter> {
  const session = await requireAdminSession(c.req.raw, config);
  return { organizationId: readId(c, "organizationId"), session };
}

function readId(c: Context, name: "organizationId" | "id"): string {
  const id = z.uuid().safeParse(c.req.param(name));
  if (id.success) return id.data;
  throw ApiError.of("invalid_request", "The id in the address is not a UUID.", {
    details: { issues: [{ path: name, message: "Not a UUID." }] },
  });
}

function readUserId(c: Context): string {
  const id = userId.safeParse(c.req.param("userId"));
  if (id.success) return id.data;
  throw ApiError.of("invalid_request", "The user's id is not one of Clerk's.");
}

function readQuery<Schema extends z.ZodType>(c: Context, schema: Schema): z.output<Schema> {
  const query = schema.safeParse(c.req.query());
  if (query.success) return query.data;
  throw ApiError.of("invalid_request", "The query is not as this function expects it.", {
    details: issuesOf(query.error),
  });
}
