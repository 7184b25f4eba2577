import { isClerkAPIResponseError } from "@clerk/backend/errors";
import { ApiError } from "../_shared/errors.ts";

/** Why Clerk refused something, in its own words. */
export interface Reason {
  readonly code: string;
  readonly message: string;
}

/**
 * How Clerk answered. What it refused or limited has not been done; what is `unknown` may have been:
 * the answer got lost, came too late, or was a failure of Clerk's own.
 */
export type Reply<Answer> =
  | { readonly kind: "done"; readonly answer: Answer }
  | { readonly kind: "refused"; readonly status: number; readonly reason: Reason }
  | { readonly kind: "limited"; readonly retryAfter: number }
  | { readonly kind: "unknown"; readonly cause: unknown };

/** Replies with which something is known to have not been done, or to be in doubt. */
export type Failure = Exclude<Reply<never>, { kind: "done" }>;

/** Clerk's codes that say more than no (Clerk: Backend API errors). */
export const CLERK_CODES = {
  alreadyMember: "already_a_member_in_organization",
  alreadyInvited: ["organization_invitation_not_unique", "duplicate_record"],
  quota: "organization_membership_quota_exceeded",
  lastAdmin: "organization_minimum_permissions_needed",
} as const;

/** How long Clerk may take, in milliseconds: three calls fit into the time that a seat is held. */
const CALL_LIMIT_MS = 8_000;

/** When to try again if Clerk did not say, in seconds. */
export const RETRY_AFTER = 5;

/**
 * Asks Clerk, for at most eight seconds. The SDK cannot break a call off: one that takes longer goes
 * on, and its outcome is unknown.
 */
export async function askClerk<Answer>(call: Promise<Answer>): Promise<Reply<Answer>> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tooLate = new Promise<Reply<Answer>>((resolve) => {
    timer = setTimeout(
      () => resolve({ kind: "unknown", cause: new Error("Clerk took too long") }),
      CALL_LIMIT_MS,
    );
  });
  const answered = call.then(
    (answer): Reply<Answer> => ({ kind: "done", answer }),
    failureOf,
  );
  try {
    return await Promise.race([answered, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}

function failureOf(error: unknown): Failure {
  if (!isClerkAPIResponseError(error)) throw error;
  // The SDK throws a lost connection as an answer without a status, whatever its type says.
  const status = error.status as number | undefined;
  const [first] = error.errors;
  if (status === 429) return { kind: "limited", retryAfter: error.retryAfter ?? RETRY_AFTER };
  if (status === undefined || status >= 500) {
    const cause = new Error(`Clerk ${status ?? "unreachable"} ${first?.code ?? "no code"}`);
    return { kind: "unknown", cause };
  }
  const code = first?.code ?? `status_${status}`;
  const message = first?.longMessage || first?.message || "Clerk refused it.";
  return { kind: "refused", status, reason: { code, message } };
}

/** Whether something was refused with one of these codes. */
export function isRefusedWith(reply: Reply<unknown>, ...codes: readonly string[]): boolean {
  return reply.kind === "refused" && codes.includes(reply.reason.code);
}

/** A failure as the caller is told: `clerk_refused` (409) or `clerk_unavailable` (503). */
export function toError(failure: Failure): ApiError {
  switch (failure.kind) {
    case "refused":
      return ApiError.of("clerk_refused", "Clerk refused it. Nothing has changed.", {
        details: { reason: failure.reason },
      });
    case "limited":
      return ApiError.of("clerk_unavailable", "Clerk takes no more requests now. Try again.", {
        retryAfter: failure.retryAfter,
      });
    case "unknown":
      return ApiError.of("clerk_unavailable", "Clerk did not answer. Try again.", {
        retryAfter: RETRY_AFTER,
        cause: failure.cause,
      });
  }
}
