import { verifyJwt } from "@clerk/backend/jwt";
import { ApiError } from "./errors.ts";

/** Who calls, as the verified Clerk session token says. */
export interface Session {
  readonly userId: string;
  /** The active organization; null when the session has none. */
  readonly clerkOrgId: string | null;
  /** The role in it, without its `org:` prefix. */
  readonly role: string | null;
}

/** What a token is verified against. */
export interface SessionSettings {
  readonly CLERK_JWT_KEY: string;
  readonly CLERK_AUTHORIZED_PARTIES: string[];
}

/**
 * Verifies the session token in `Authorization: Bearer`, without a network call: signature, times,
 * authorized party. Takes version 1 and 2 (Clerk: session tokens).
 *
 * @throws {ApiError} `missing_token` or `invalid_token` (401).
 */
export async function requireSession(
  request: Request,
  settings: SessionSettings,
): Promise<Session> {
  const token = /^Bearer (\S+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
  if (token === undefined) {
    throw ApiError.of("missing_token", "Send a Clerk session token as a bearer token.");
  }
  const claims = await verifyJwt(token, {
    key: settings.CLERK_JWT_KEY,
    authorizedParties: settings.CLERK_AUTHORIZED_PARTIES,
  }).catch((cause: unknown) => {
    throw ApiError.of("invalid_token", "The session token is not valid.", { cause });
  });
  if (claims.sts === "pending") {
    throw ApiError.of("invalid_token", "The session has tasks left before it is signed in.");
  }
  const clerkOrgId = claims.v === 2 ? claims.o?.id : claims.org_id;
  const role = claims.v === 2 ? claims.o?.rol : claims.org_role?.replace(/^org:/, "");
  return { userId: claims.sub, clerkOrgId: clerkOrgId ?? null, role: role ?? null };
}

/** A session of an admin of its active organization. */
export interface AdminSession extends Session {
  readonly clerkOrgId: string;
}

/**
 * The session, if it is an admin's. That the organization is the one asked about is for the
 * database to check, which knows both ids.
 *
 * @throws {ApiError} `missing_token`, `invalid_token` (401) or `not_organization_admin` (403).
 */
export async function requireAdminSession(
  request: Request,
  settings: SessionSettings,
): Promise<AdminSession> {
  const session = await requireSession(request, settings);
  if (session.role !== "admin" || session.clerkOrgId === null) {
    throw ApiError.of("not_organization_admin", "You are not an admin of this organization.");
  }
  return { ...session, clerkOrgId: session.clerkOrgId };
}
