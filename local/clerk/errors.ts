import { newId } from "./ids.ts";

/** One entry of Clerk's error answer, as `@clerk/backend` reads it. */
export interface ClerkErrorEntry {
  code: string;
  message: string;
  long_message: string;
  meta?: Record<string, unknown>;
}

/**
 * A refusal. Codes, texts and statuses are those of Clerk's published lists of Backend API and
 * Frontend API errors (clerk.com/docs/guides/development/errors).
 */
export class ClerkError extends Error {
  constructor(
    readonly status: number,
    readonly errors: ClerkErrorEntry[],
    readonly headers: Record<string, string> = {},
  ) {
    super(errors.map(({ long_message }) => long_message).join(" "));
  }
}

function refusal(
  status: number,
  code: string,
  message: string,
  long_message: string,
  meta?: Record<string, unknown>,
): ClerkError {
  return new ClerkError(status, [{ code, message, long_message, ...(meta && { meta }) }]);
}

/** 404 for an id (or anything else) that names nothing. */
export function notFound(long: string, meta?: Record<string, unknown>): ClerkError {
  return refusal(404, "resource_not_found", "not found", long, meta);
}

/** 401: no usable `Authorization` header. */
export function badAuthorizationHeader(): ClerkError {
  return refusal(
    401,
    "authorization_header_format_invalid",
    "Invalid Authorization header format",
    "Invalid Authorization header format. Must be 'Bearer <YOUR_API_KEY>'",
  );
}

/** 401: another secret key than this instance's. */
export function badSecretKey(): ClerkError {
  const text =
    "The provided Clerk Secret Key is invalid. Make sure that your Clerk Secret Key is " +
    "correct.";
  return refusal(401, "clerk_key_invalid", text, text);
}

/** 400: a body that is not JSON. */
export function badBody(): ClerkError {
  return refusal(
    400,
    "request_body_invalid",
    "Request body invalid",
    "The request body is invalid. Please consult the API documentation for more information.",
  );
}

/** 400: more entries in one bulk call than allowed. */
export function bulkTooLarge(most: number): ClerkError {
  return refusal(
    400,
    "bulk_size_exceeded",
    "bulk size exceeded",
    `Parameters exceed the maximum allowed bulk processing size of ${most}.`,
  );
}

/** 422: a parameter that is missing, unknown or wrong. */
export function badParameter(code: string, name: string, message: string): ClerkError {
  return refusal(422, code, message, `${name} ${message}`, { param_name: name });
}

/** 422: an identifier (slug, e-mail address …) that is in use already. */
export function identifierTaken(name: string): ClerkError {
  const text = `That ${name.replaceAll("_", " ")} is taken. Please try another.`;
  return refusal(422, "form_identifier_exists", text, text, { param_name: name });
}

/** 400: the user who should own a new organization does not exist. */
export function creatorNotFound(userId: string): ClerkError {
  return refusal(
    400,
    "organization_creator_not_found",
    "creator not found",
    `No users found with id ${userId}.`,
  );
}

/** 403: no place left, pending invitations counted. */
export function quotaExceeded(limit: number): ClerkError {
  return refusal(
    403,
    "organization_membership_quota_exceeded",
    "organization membership quota exceeded",
    `You have reached your limit of ${limit} organization memberships, including outstanding ` +
      "invitations.",
  );
}

/** 400: this person is in the organization already. */
export function alreadyMember(who: string): ClerkError {
  return refusal(
    400,
    "already_a_member_in_organization",
    "already a member",
    `${who} is already a member of the organization.`,
  );
}

/** 400: without this member nobody could manage the organization. */
export function minimumPermissionsNeeded(): ClerkError {
  return refusal(
    400,
    "organization_minimum_permissions_needed",
    "minimum organization permissions needed",
    "There has to be at least one organization member with the minimum required permissions",
  );
}

/** 403: whoever acts is not in the organization. */
export function notAMember(): ClerkError {
  return refusal(
    403,
    "not_a_member_in_organization",
    "not a member",
    "Current user is not a member of the organization. Only organization members can perform " +
      "this action.",
  );
}

/** 403: whoever acts may not manage memberships. */
export function missingPermission(permission: string): ClerkError {
  return refusal(
    403,
    "missing_organization_permission",
    "missing permission",
    "Current user is missing an organization permission.",
    { permissions: [permission] },
  );
}

/** 400: a second pending invitation for one address. */
export function invitationNotUnique(): ClerkError {
  return refusal(
    400,
    "organization_invitation_not_unique",
    "organization invitation not unique",
    "Organizations cannot have duplicate pending invitations for an email address.",
  );
}

/** 404: no such invitation. */
export function invitationNotFound(id: string): ClerkError {
  return refusal(
    404,
    "organization_invitation_not_found",
    "not found",
    `No invitation found with id ${id}.`,
  );
}

/** 404: the invitation was accepted, was revoked or has expired. */
export function invitationNotPending(): ClerkError {
  return refusal(
    404,
    "organization_invitation_not_pending",
    "not pending",
    "The organization invitation is not in the 'pending' status.",
  );
}

/** 429, with the seconds to wait in `Retry-After`. */
export function tooManyRequests(retryAfterSeconds: number): ClerkError {
  return new ClerkError(
    429,
    [{
      code: "too_many_requests",
      message: "Too many requests",
      long_message: "Too many requests, retry later",
    }],
    { "retry-after": String(retryAfterSeconds) },
  );
}

/** Turns whatever a route threw into Clerk's error answer. */
export function errorResponse(error: Error): Response {
  const known = error instanceof ClerkError ? error : refusal(
    500,
    "internal_clerk_error",
    "Oops, an unexpected error occurred",
    `The emulator failed: ${error.stack ?? error.message}`,
  );
  return Response.json(
    { errors: known.errors, clerk_trace_id: newId("trace") },
    { status: known.status, headers: known.headers },
  );
}
