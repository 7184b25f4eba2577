import { type ClerkClient, createClerkClient } from "@clerk/backend";
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import postgres from "postgres";
import type Stripe from "stripe";
import type { Database } from "../../supabase/functions/_shared/database.types.ts";
import { EmulatorControl } from "../emulation/control.ts";
import { stripeClient } from "../providers.ts";
import type { Stack } from "../stack.ts";
import { StripeControl } from "../stripe/control.ts";

/** Everyone whom the demo speaks to. */
export interface World {
  /** The official Clerk SDK, talking to the emulator. */
  clerk: ClerkClient;
  clerkControl: EmulatorControl;
  /** The official Stripe SDK, talking to the emulator. */
  stripe: Stripe;
  stripeControl: StripeControl;
  /** The Data API, with the secret key. */
  admin: SupabaseClient<Database>;
  /** Postgres itself, to read the numbers. */
  sql: postgres.Sql;
  /** Calls a function with a user's session token. */
  call(
    path: string,
    token: string,
    body: unknown,
    headers?: Record<string, string>,
  ): Promise<Reply>;
  /** Calls a function with the secret key; `GET` without a body. */
  callAsOperator(path: string, body?: unknown): Promise<Reply>;
  /** Kills a function in the middle of what it does. */
  crash(name: string): Promise<void>;
  /** A session token of a user at work in an organization. */
  tokenOf(userId: string, organizationId: string): Promise<string>;
  /** Waits until every webhook has been delivered. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

/** What a function answered. */
export interface Reply {
  status: number;
  body: unknown;
}

/** Connects to a stack. */
export function connect({ env, crashFunction }: Stack): World {
  const clerkControl = new EmulatorControl(env.CLERK_API_URL);
  const stripeControl = new StripeControl(env.STRIPE_API_BASE);
  const sql = postgres(env.DATABASE_URL, { max: 2, onnotice: () => {} });
  const send = async (
    path: string,
    headers: Record<string, string>,
    body?: unknown,
  ): Promise<Reply> => {
    const response = await fetch(`${env.SUPABASE_URL}/functions/v1/${path}`, {
      headers,
      ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }),
    });
    return { status: response.status, body: await response.json() };
  };
  return {
    clerk: createClerkClient({ secretKey: env.CLERK_SECRET_KEY, apiUrl: env.CLERK_API_URL }),
    clerkControl,
    stripe: stripeClient(env.STRIPE_API_BASE, env.STRIPE_SECRET_KEY),
    stripeControl,
    admin: createClient<Database>(env.SUPABASE_URL, env.SUPABASE_SECRET_KEY),
    sql,
    call: (path, token, body, headers) =>
      send(path, { ...headers, authorization: `Bearer ${token}` }, body),
    callAsOperator: (path, body) => send(path, { apikey: env.SUPABASE_SECRET_KEY }, body),
    crash: crashFunction,
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
