import { Webhook, WebhookVerificationError } from "svix";
import { ApiError } from "../_shared/errors.ts";

/**
 * Verifies the Svix signature over id, timestamp and body with any of the secrets, and its age of
 * at most five minutes in both directions (Svix: verifying webhooks).
 *
 * @returns the message's id, which stays the same over retries.
 * @throws {ApiError} `endpoint_closed` (503) without a secret, `missing_signature` or
 * `invalid_signature` (400).
 */
export function verifySignature(
  secrets: readonly string[],
  headers: Headers,
  body: string,
): string {
  if (secrets.length === 0) {
    throw ApiError.of("endpoint_closed", "No signing secret is set, so no event can be taken.");
  }
  const id = headers.get("svix-id");
  const timestamp = headers.get("svix-timestamp");
  const signature = headers.get("svix-signature");
  if (id === null || timestamp === null || signature === null) {
    throw ApiError.of("missing_signature", "The Svix headers are missing.");
  }
  // A header that came twice is here one value, joined by a comma and a space (Fetch: get): what it
  // says depends on who reads it.
  if ([id, timestamp, signature].some((value) => value.includes(", "))) throw invalid();
  const signed = { "svix-id": id, "svix-timestamp": timestamp, "svix-signature": signature };
  if (!secrets.some((secret) => isSignedWith(secret, signed, body))) {
    throw invalid();
  }
  return id;
}

function invalid(): ApiError {
  return ApiError.of("invalid_signature", "The signature does not match the body.");
}

function isSignedWith(secret: string, headers: Record<string, string>, body: string): boolean {
  try {
    new Webhook(secret).verify(body, headers);
    return true;
  } catch (error) {
    if (error instanceof WebhookVerificationError || error instanceof SyntaxError) return false;
    throw error;
  }
}
