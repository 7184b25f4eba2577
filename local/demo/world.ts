import { type ClerkClient, createClerkClient } from "@clerk/backend";
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import postgres from "postgres";
import type { Database } from "../../supabase/functions/_shared/database.types.ts";
import { EmulatorControl } from "../emulation/control.ts";
import type { StackEnv } from "../stack_env.ts";
import { StripeControl } from "../stripe/control.ts";

/** Everyone whom the demo speaks to. */
export interface World {
  /** The official Clerk SDK, talking to the emulator. */
  clerk: ClerkClient;
  clerkControl: EmulatorControl;
  stripeControl: StripeControl;
  /** The Data API, with the secret key. */
  admin: SupabaseClient<Database>;
  /** Postgres itself, to read the numbers. */
  sql: postgres.Sql;
  /** Calls a function with a user's session token. */
  call(name: string, token: string, body: unknown): Promise<{ status: number; body: unknown }>;
  /** A session token of a user at work in an organization. */
  tokenOf(userId: string, organizationId: string): Promise<string>;
  /** Waits until every webhook has been delivered. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

/** Connects to a stack. */
export function connect(env: StackEnv): World {
  const clerkControl = new EmulatorControl(env.CLERK_API_URL);
  const stripeControl = new StripeControl(env.STRIPE_API_BASE);
  const sql = postgres(env.DATABASE_URL, { max: 2, onnotice: () => {} });
  return {
    clerk: createClerkClient({ secretKey: env.CLERK_SECRET_KEY, apiUrl: env.CLERK_API_URL }),
    clerkControl,
    stripeControl,
    admin: createClient<Database>(env.SUPABASE_URL, env.SUPABASE_SECRET_KEY),
    sql,
    async call(name, token, body) {
      const response = await fetch(`${env.SUPABASE_URL}/functions/v1/${name}`, {
        method: "POST",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      return { status: response.status, body: await response.json() };
    },
    async tokenOf(userId, organizationId) {
      const { jwt } = await clerkControl.request<{ jwt: string }>("POST", "/tokens", {
        userId,
        organizationId,
        azp: env.SITE_URL,
      });
      return jwt;
    },
    async settled() {
      await Promise.all([clerkControl.settle(), stripeControl.settle()]);
    },
    close: () => sql.end(),
  };
}
