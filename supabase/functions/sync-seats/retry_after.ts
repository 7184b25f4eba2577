import { ApiError } from "../_shared/errors.ts";

/** The longest that a provider's `Retry-After` is waited out, in seconds; more is the caller's to wait. */
const PATIENCE = 20;

/** How often a call is tried. */
const TRIES = 3;

/**
 * Calls a provider, and again after as long as its `Retry-After` says.
 *
 * @throws what the last try threw, with the provider's `Retry-After`.
 */
export async function obeyingRetryAfter<Answer>(call: () => Promise<Answer>): Promise<Answer> {
  for (let tries = 1;; tries++) {
    try {
      return await call();
    } catch (error) {
      const wait = error instanceof ApiError ? error.retryAfter : undefined;
      if (wait === undefined || wait > PATIENCE || tries === TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, wait * 1000));
    }
  }
}
