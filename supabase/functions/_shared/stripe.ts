import Stripe from "stripe";
import { ApiError } from "./errors.ts";

/** What a Stripe client is made from. */
export interface StripeSettings {
  readonly STRIPE_SECRET_KEY: string;
  /** Another base address than Stripe's: the local stack's emulator. */
  readonly STRIPE_API_BASE: string | undefined;
}

/** A Stripe client that retries what is safe to retry, with the same idempotency key. */
export function connectStripe(settings: StripeSettings): Stripe {
  const base = settings.STRIPE_API_BASE === undefined ? null : new URL(settings.STRIPE_API_BASE);
  return new Stripe(settings.STRIPE_SECRET_KEY, {
    httpClient: Stripe.createFetchHttpClient(),
    maxNetworkRetries: 2,
    timeout: 20_000,
    ...(base === null ? {} : {
      protocol: base.protocol === "http:" ? "http" : "https",
      host: base.hostname,
      port: base.port,
    }),
  });
}

/**
 * Waits for an answer of Stripe's.
 *
 * @throws {ApiError} `stripe_unavailable` (503) when it cannot be reached, fails or limits us,
 * `stripe_error` (502) when it refuses the request.
 */
export async function stripeAnswer<Answer>(call: Promise<Answer>): Promise<Answer> {
  try {
    return await call;
  } catch (error) {
    throw toApiError(error);
  }
}

/** `stripeAnswer()`, with null for an object that Stripe does not know. */
export async function stripeAnswerOrMissing<Answer>(call: Promise<Answer>): Promise<Answer | null> {
  return await stripeAnswer(call.catch((error: unknown) => {
    if (error instanceof Stripe.errors.StripeError && error.code === "resource_missing") {
      return null;
    }
    throw error;
  }));
}

/** The idempotency key under which Stripe is asked for a change of seats. */
export function changeKey(seatChangeId: string): string {
  return `change-${seatChangeId}`;
}

/**
 * Whether an error is an answer that Stripe keeps under the request's idempotency key for a day and
 * gives again to every retry (Stripe: idempotent requests). It does not keep what it has turned away
 * before it began to work.
 */
export function isKeptByStripe(error: unknown): boolean {
  return error instanceof Stripe.errors.StripeError && error.statusCode !== undefined &&
    ![409, 429, 503].includes(error.statusCode);
}

function toApiError(error: unknown): unknown {
  if (!(error instanceof Stripe.errors.StripeError)) return error;
  const status = error.statusCode ?? 503;
  const cause = new Error(
    `Stripe ${status} ${error.code ?? error.type} (${error.requestId ?? "no request id"})`,
  );
  // 409: the same idempotency key is at work in another request (Stripe: errors).
  if (status === 409 || status === 429 || status >= 500) {
    return ApiError.of("stripe_unavailable", "Stripe did not answer. Try again.", {
      retryAfter: Number(error.headers?.["retry-after"] ?? 5),
      cause,
    });
  }
  return ApiError.of("stripe_error", "Stripe refused the request.", { cause });
}

/**
 * The price that stands in Stripe under a lookup key.
 *
 * @throws {ApiError} `price_not_found` (503), and what `stripeAnswer()` throws.
 */
export async function findPrice(stripe: Stripe, lookupKey: string): Promise<string> {
  const prices = await stripeAnswer(
    stripe.prices.list({ lookup_keys: [lookupKey], active: true, limit: 1 }),
  );
  const price = prices.data[0];
  if (price === undefined) {
    throw ApiError.of("price_not_found", "This plan has no price in Stripe yet.", {
      details: { lookupKey },
    });
  }
  return price.id;
}

/** Stripe's own time when it answered, in seconds, from the `Date` header; ours without one. */
export function answeredAt(
  answer: { readonly lastResponse: { readonly headers: Readonly<Record<string, string>> } },
): number {
  const date = Date.parse(answer.lastResponse.headers["date"] ?? "");
  return Math.floor((Number.isNaN(date) ? Date.now() : date) / 1000);
}
