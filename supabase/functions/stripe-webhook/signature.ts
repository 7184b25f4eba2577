import type Stripe from "stripe";
import type { Json } from "../_shared/database.types.ts";
import { ApiError } from "../_shared/errors.ts";

/** How far a signature's time may be from ours, in seconds, in both directions. */
const TOLERANCE = 300;

/**
 * Verifies a `Stripe-Signature` with any of the secrets, of which there are several while they
 * rotate (Stripe: webhook signatures).
 *
 * @returns what the body was parsed to.
 * @throws {ApiError} `endpoint_closed` (503) without a secret, `missing_signature` or
 * `invalid_signature` (400).
 */
export async function verifySignature(
  stripe: Stripe,
  secrets: readonly string[],
  header: string | null,
  body: string,
): Promise<Json> {
  if (secrets.length === 0) {
    throw ApiError.of("endpoint_closed", "No signing secret is set, so no event can be taken.");
  }
  if (header === null) throw ApiError.of("missing_signature", "The signature header is missing.");
  // The SDK knows no limit for times that lie ahead. Of several times it would take the last one,
  // so that we might look at another than it does.
  const [signedAt, another] = [...header.matchAll(/(?:^|,)\s*t=(\d*)/g)].map(([, at]) =>
    Number(at)
  );
  const isAhead = !(Number(signedAt) - Date.now() / 1000 <= TOLERANCE);
  if (isAhead || another !== undefined) throw invalid();

  for (const secret of secrets) {
    const event = await stripe.webhooks.constructEventAsync(body, header, secret, TOLERANCE)
      // Whatever its type says, it is any JSON that is no thin event; undefined is none.
      .then((parsed): unknown => parsed, () => undefined);
    if (event !== undefined) return event as Json;
  }
  throw invalid();
}

function invalid(): ApiError {
  return ApiError.of("invalid_signature", "The signature does not match the body.");
}
