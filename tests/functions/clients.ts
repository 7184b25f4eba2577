import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import postgres from "postgres";
import Stripe from "stripe";
import { ClerkFixtures } from "../../local/clerk/fixtures.ts";
import type { StackEnv } from "../../local/stack_env.ts";
import { StripeControl } from "../../local/stripe/control.ts";
import type { Database } from "../../supabase/functions/_shared/database.types.ts";

/** Everyone whom a test of the functions speaks to. */
export interface Clients {
  readonly env: StackEnv;
  /** The official SDK, talking to the emulator; it tries once. */
  readonly stripe: Stripe;
  readonly stripeControl: StripeControl;
  /** The official SDK, and what a browser would do. */
  readonly clerk: ClerkFixtures;
  /** The Data API, with the secret key. */
  readonly admin: SupabaseClient<Database>;
  /** Postgres itself, to look at the rows. */
  readonly sql: postgres.Sql;
}

/** Connects to a stack. What is open stays so until the test file has ended. */
export function connect(env: StackEnv): Clients {
  const { hostname: host, port, protocol } = new URL(env.STRIPE_API_BASE);
  return {
    env,
    stripe: new Stripe(env.STRIPE_SECRET_KEY, {
      host,
      port,
      protocol: protocol === "https:" ? "https" : "http",
      httpClient: Stripe.createFetchHttpClient(),
      maxNetworkRetries: 0,
      telemetry: false,
    }),
    stripeControl: new StripeControl(env.STRIPE_API_BASE),
    clerk: new ClerkFixtures(env),
    admin: createClient<Database>(env.SUPABASE_URL, env.SUPABASE_SECRET_KEY),
    sql: postgres(env.DATABASE_URL, { max: 4, fetch_types: false, onnotice: () => {} }),
  };
}
