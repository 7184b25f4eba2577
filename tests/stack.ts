import type { StackEnv } from "../local/stack_env.ts";

const NAMES: Record<keyof StackEnv, true> = {
  SUPABASE_URL: true,
  SUPABASE_PUBLISHABLE_KEY: true,
  SUPABASE_SECRET_KEY: true,
  DATABASE_URL: true,
  STRIPE_API_BASE: true,
  STRIPE_SECRET_KEY: true,
  STRIPE_WEBHOOK_SECRET: true,
  CLERK_API_URL: true,
  CLERK_SECRET_KEY: true,
  CLERK_PUBLISHABLE_KEY: true,
  CLERK_JWT_KEY: true,
  CLERK_WEBHOOK_SIGNING_SECRET: true,
  SITE_URL: true,
};

/**
 * The stack that the tests run against, from the environment: tests/run.ts has started it, or
 * someone else has. Throws when a name is missing, with all that are.
 */
export function stackEnv(): StackEnv {
  const missing = Object.keys(NAMES).filter((name) => !Deno.env.has(name));
  if (missing.length > 0) {
    throw new Error(`No stack to test against (run "npm test"): ${missing.join(", ")} not set`);
  }
  // A PEM in one line, as `.env` files have it.
  const value = (name: string) => Deno.env.get(name)?.replaceAll("\\n", "\n");
  return Object.fromEntries(
    Object.keys(NAMES).map((name) => [name, value(name)]),
  ) as unknown as StackEnv;
}
