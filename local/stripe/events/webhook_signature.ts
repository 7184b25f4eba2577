import { createHmac } from "node:crypto";

/**
 * The `Stripe-Signature` header of a payload: the time and an HMAC-SHA256 over time and payload.
 * The time is the receiver's, who checks it, and never that of the emulated account.
 */
export function signatureHeader(
  payload: string,
  secret: string,
  at = Math.floor(Date.now() / 1000),
): string {
  const signature = createHmac("sha256", secret).update(`${at}.${payload}`).digest("hex");
  return `t=${at},v1=${signature}`;
}
