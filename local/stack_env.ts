/** The addresses and keys of a running stack, under the names that tests and `.env` use. */
export interface StackEnv {
  /** The gateway: `/rest/v1` and `/functions/v1`. */
  SUPABASE_URL: string;
  SUPABASE_PUBLISHABLE_KEY: string;
  SUPABASE_SECRET_KEY: string;
  /** For the role `postgres`. */
  DATABASE_URL: string;
  STRIPE_API_BASE: string;
  STRIPE_SECRET_KEY: string;
  STRIPE_WEBHOOK_SECRET: string;
  CLERK_API_URL: string;
  CLERK_SECRET_KEY: string;
  CLERK_PUBLISHABLE_KEY: string;
  /** Public key of Clerk's session tokens, PEM. */
  CLERK_JWT_KEY: string;
  CLERK_WEBHOOK_SIGNING_SECRET: string;
  /** Where the product's own pages would be: Checkout returns there, session tokens come from it. */
  SITE_URL: string;
}

/**
 * The whole environment of a function process: what hosted Supabase sets, what its owner sets as
 * secrets, and the two addresses by which the emulators stand in for Stripe and Clerk.
 */
export function functionEnvironment(env: StackEnv): Record<string, string> {
  return {
    SUPABASE_URL: env.SUPABASE_URL,
    SUPABASE_PUBLISHABLE_KEYS: JSON.stringify({ default: env.SUPABASE_PUBLISHABLE_KEY }),
    SUPABASE_SECRET_KEYS: JSON.stringify({ default: env.SUPABASE_SECRET_KEY }),
    STRIPE_SECRET_KEY: env.STRIPE_SECRET_KEY,
    STRIPE_WEBHOOK_SECRET: env.STRIPE_WEBHOOK_SECRET,
    STRIPE_API_BASE: env.STRIPE_API_BASE,
    CLERK_SECRET_KEY: env.CLERK_SECRET_KEY,
    CLERK_JWT_KEY: env.CLERK_JWT_KEY,
    CLERK_WEBHOOK_SIGNING_SECRET: env.CLERK_WEBHOOK_SIGNING_SECRET,
    CLERK_API_URL: env.CLERK_API_URL,
    CLERK_AUTHORIZED_PARTIES: env.SITE_URL,
    // The emulators have no limit to keep below.
    STRIPE_REQUESTS_PER_SECOND: "10000",
    CLERK_REQUESTS_PER_SECOND: "10000",
    SITE_URL: env.SITE_URL,
  };
}
