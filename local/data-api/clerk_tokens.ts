import { verifyToken } from "@clerk/backend";
import { sign } from "hono/jwt";

/** What it takes to accept Clerk's session tokens. */
export interface TokenKeys {
  /** Public key of the Clerk instance, PEM. */
  clerkJwtKey: string;
  /** What the stack signs its own tokens with. */
  jwtSecret: string;
}

/**
 * Turns a Clerk session token into one that the Data API can check: the same claims, signed with
 * the stack's own secret, for the role `authenticated`. Hosted Supabase accepts the token itself,
 * with Clerk as third-party provider.
 *
 * Answers null for a token that is not Clerk's, is forged or has run out.
 */
export async function exchangeClerkToken(token: string, keys: TokenKeys): Promise<string | null> {
  try {
    const claims = await verifyToken(token, { jwtKey: keys.clerkJwtKey });
    return await sign({ ...claims, role: "authenticated" }, keys.jwtSecret, "HS256");
  } catch {
    return null;
  }
}
