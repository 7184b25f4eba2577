import type { SessionJSON, TokenJSON } from "@clerk/backend";
import { Hono } from "hono";
import { z } from "zod";
import { notAMember, notFound } from "./errors.ts";
import { newId } from "./ids.ts";
import type { ClerkInstance } from "./instance.ts";
import { membershipOf, membershipsOf, organizationById, userById } from "./lookups.ts";
import { pageOf, queryList, readBody } from "./requests.ts";
import type { SessionRecord } from "./state.ts";
import {
  type ActiveOrganization,
  DEFAULT_AUTHORIZED_PARTY,
  DEFAULT_LIFETIME_SECONDS,
  sessionClaims,
} from "./tokens.ts";

const SESSION_LIFETIME_MS = 7 * 86_400_000;

const createInput = z.object({ user_id: z.string() });
const tokenInput = z.object({ expires_in_seconds: z.int().min(1).nullish() });

function sessionById({ state }: ClerkInstance, id: string): SessionRecord {
  const session = state.sessions[id];
  if (session === undefined) throw notFound(`No session was found with id ${id}`);
  return session;
}

function sessionJson(session: SessionRecord): SessionJSON {
  return {
    object: "session",
    id: session.id,
    client_id: session.id.replace("sess_", "client_"),
    user_id: session.user_id,
    status: session.status,
    ...(session.last_active_organization_id !== null &&
      { last_active_organization_id: session.last_active_organization_id }),
    actor: null,
    last_active_at: session.updated_at,
    expire_at: session.created_at + SESSION_LIFETIME_MS,
    abandon_at: session.created_at + SESSION_LIFETIME_MS,
    created_at: session.created_at,
    updated_at: session.updated_at,
  };
}

/**
 * Signs a user in. Their active organization is the one named, or else the one that they joined
 * last, as Clerk's API reference says of new memberships. Throws a 404 for an unknown user, a 403
 * for somebody else's organization.
 */
export function createSession(
  clerk: ClerkInstance,
  userId: string,
  organizationId?: string,
): SessionRecord {
  const user = userById(clerk, userId);
  if (organizationId !== undefined && !membershipOf(clerk, organizationId, user.id)) {
    throw notAMember();
  }
  const joined = membershipsOf(clerk, user.id);
  const now = Date.now();
  const session: SessionRecord = {
    id: newId("sess"),
    user_id: user.id,
    status: "active",
    last_active_organization_id: organizationId ?? joined.at(-1)?.organization_id ?? null,
    created_at: now,
    updated_at: now,
  };
  clerk.state.sessions[session.id] = session;
  user.last_sign_in_at = now;
  clerk.changed();
  return session;
}

/** What a token may be asked for beyond its session. */
export interface TokenOptions {
  expiresInSeconds?: number | undefined;
  /** The `azp` claim: the origin of the application that the user works in. */
  authorizedParty?: string | undefined;
}

/** A token of this session, for this moment. */
export function sessionToken(
  clerk: ClerkInstance,
  session: SessionRecord,
  options: TokenOptions,
): string {
  return clerk.signer.sign(sessionClaims({
    issuer: clerk.url,
    session,
    active: activeOrganization(clerk, session),
    lifetimeSeconds: options.expiresInSeconds ?? DEFAULT_LIFETIME_SECONDS,
    authorizedParty: options.authorizedParty ?? DEFAULT_AUTHORIZED_PARTY,
  }));
}

function activeOrganization(
  clerk: ClerkInstance,
  { last_active_organization_id: id, user_id }: SessionRecord,
): ActiveOrganization | null {
  const membership = id === null ? undefined : membershipOf(clerk, id, user_id);
  if (membership === undefined) return null;
  return { organization: organizationById(clerk, membership.organization_id), membership };
}

/** The API's `/v1/sessions`. */
export function sessionRoutes(clerk: ClerkInstance): Hono {
  const app = new Hono();
  app.get("/", (c) => {
    const [users, statuses] = [queryList(c, "user_id"), queryList(c, "status")];
    const found = Object.values(clerk.state.sessions).filter((one) =>
      (users.length === 0 || users.includes(one.user_id)) &&
      (statuses.length === 0 || statuses.includes(one.status))
    );
    const { data, total_count } = pageOf(c, found, { created_at: (one) => one.created_at });
    return c.json({ data: data.map(sessionJson), total_count });
  });
  app.post("/", async (c) => {
    const { user_id } = await readBody(c, createInput);
    return c.json(sessionJson(createSession(clerk, user_id)));
  });
  app.get("/:id", (c) => c.json(sessionJson(sessionById(clerk, c.req.param("id")))));
  app.post("/:id/revoke", (c) => {
    const session = sessionById(clerk, c.req.param("id"));
    session.status = "revoked";
    session.updated_at = Date.now();
    clerk.changed();
    return c.json(sessionJson(session));
  });
  app.post("/:id/tokens", async (c) => {
    const { expires_in_seconds } = await readBody(c, tokenInput);
    const session = sessionById(clerk, c.req.param("id"));
    if (session.status !== "active") throw notFound(`No session was found with id ${session.id}`);
    const jwt = sessionToken(clerk, session, { expiresInSeconds: expires_in_seconds ?? undefined });
    const token: TokenJSON = { object: "token", jwt };
    return c.json(token);
  });
  app.post("/:id/tokens/:template", (c) => {
    throw notFound(`No JWT template exists with name: ${c.req.param("template")}`);
  });
  return app;
}
