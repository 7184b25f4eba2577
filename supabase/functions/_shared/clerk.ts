import { type ClerkClient, createClerkClient } from "@clerk/backend";
import { isClerkAPIResponseError } from "@clerk/backend/errors";
import { ApiError } from "./errors.ts";

/** What a Clerk client is made from. */
export interface ClerkSettings {
  readonly CLERK_SECRET_KEY: string;
  /** Another base address than Clerk's: the local stack's emulator. */
  readonly CLERK_API_URL: string | undefined;
}

/** Clerk's largest page (Clerk: pagination). */
export const CLERK_PAGE_SIZE = 500;

/** A client of Clerk's Backend API. */
export function connectClerk(settings: ClerkSettings): ClerkClient {
  return createClerkClient({
    secretKey: settings.CLERK_SECRET_KEY,
    telemetry: { disabled: true },
    ...(settings.CLERK_API_URL === undefined ? {} : { apiUrl: settings.CLERK_API_URL }),
  });
}

/**
 * The requests a second that Clerk allows an instance: 1,000 in ten seconds in production, 100 in
 * development, which a secret key tells apart (Clerk: rate limits).
 */
export function clerkRateLimit(secretKey: string): number {
  return secretKey.startsWith("sk_test_") ? 10 : 100;
}

/**
 * Waits for an answer of Clerk's.
 *
 * @throws {ApiError} `clerk_unavailable` (503) when it cannot be reached, fails or limits us,
 * `clerk_error` (502, with Clerk's own code in the details) when it refuses the request.
 */
export async function clerkAnswer<Answer>(call: Promise<Answer>): Promise<Answer> {
  try {
    return await call;
  } catch (error) {
    throw toApiError(error);
  }
}

/** `clerkAnswer()`, with null for something that Clerk does not know. */
export async function clerkAnswerOrMissing<Answer>(call: Promise<Answer>): Promise<Answer | null> {
  return await clerkAnswer(call.catch((error: unknown) => {
    if (isClerkAPIResponseError(error) && error.status === 404) return null;
    throw error;
  }));
}

function toApiError(error: unknown): unknown {
  // The SDK throws a lost connection as an answer without a status, whatever its type says.
  const status = (isClerkAPIResponseError(error) ? error.status : undefined) ?? 503;
  const code = isClerkAPIResponseError(error) ? error.errors[0]?.code : "unreachable";
  const cause = new Error(`Clerk ${status} ${code ?? "no code"}`, { cause: error });
  if (status === 429 || status >= 500) {
    const retryAfter = isClerkAPIResponseError(error) ? error.retryAfter : undefined;
    return ApiError.of("clerk_unavailable", "Clerk did not answer. Try again.", {
      retryAfter: retryAfter ?? 5,
      cause,
    });
  }
  return ApiError.of("clerk_error", "Clerk refused the request.", {
    details: { clerkCode: code ?? "unknown" },
    cause,
  });
}
