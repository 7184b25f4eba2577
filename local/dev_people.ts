import { type ClerkClient, createClerkClient } from "@clerk/backend";
import { createClient } from "@supabase/supabase-js";
import type { Database } from "../supabase/functions/_shared/database.types.ts";
import { EmulatorControl } from "./emulation/control.ts";
import type { StackEnv } from "./stack_env.ts";

/** An organization to try things with, and session tokens of two of its members. */
export interface DevPeople {
  /** As Postgres knows the organization. */
  organizationId: string;
  /** As Clerk knows it. */
  clerkOrganizationId: string;
  adminToken: string;
  memberToken: string;
}

interface Seed {
  clerkOrganizationId: string;
  adminId: string;
  memberId: string;
}

const TOKEN_SECONDS = 30 * 24 * 3600;

/**
 * Makes the organization Acme with an admin and a plain member in Clerk, once for a data folder,
 * and signs both in, Acme their active organization, for thirty days. Waits until Postgres has
 * heard of all of them from Clerk; rejects when it never does.
 */
export async function signInDevPeople(env: StackEnv, folder: string): Promise<DevPeople> {
  const clerk = createClerkClient({ apiUrl: env.CLERK_API_URL, secretKey: env.CLERK_SECRET_KEY });
  const file = `${folder}/people.json`;
  const known = await Deno.readTextFile(file).catch(() => null);
  const control = new EmulatorControl(env.CLERK_API_URL);
  const seed: Seed = known === null ? await makePeople(clerk, control) : JSON.parse(known);
  await Deno.writeTextFile(file, JSON.stringify(seed));
  if (known === null) await control.settle({ contains: seed.clerkOrganizationId });
  const signIn = async (userId: string) => {
    const session = await clerk.sessions.createSession({ userId });
    return (await clerk.sessions.getToken(session.id, undefined, TOKEN_SECONDS)).jwt;
  };
  return {
    organizationId: await organizationId(env, seed.clerkOrganizationId),
    clerkOrganizationId: seed.clerkOrganizationId,
    adminToken: await signIn(seed.adminId),
    memberToken: await signIn(seed.memberId),
  };
}

async function makePeople(clerk: ClerkClient, control: EmulatorControl): Promise<Seed> {
  const [admin, member] = await Promise.all([
    clerk.users.createUser({ emailAddress: ["ada@acme.test"], firstName: "Ada" }),
    clerk.users.createUser({ emailAddress: ["max@acme.test"], firstName: "Max" }),
  ]);
  const acme = await clerk.organizations.createOrganization({ name: "Acme", createdBy: admin.id });
  // Past the limit, which is one person until Acme buys seats.
  await control.request("POST", "/memberships", { organizationId: acme.id, userId: member.id });
  return { clerkOrganizationId: acme.id, adminId: admin.id, memberId: member.id };
}

async function organizationId(env: StackEnv, clerkId: string): Promise<string> {
  const supabase = createClient<Database>(env.SUPABASE_URL, env.SUPABASE_SECRET_KEY);
  const find = () =>
    supabase.from("organizations").select("id").eq("clerk_org_id", clerkId).maybeSingle()
      .throwOnError();
  const known = await find();
  if (known.data !== null) return known.data.id;
  await new EmulatorControl(env.CLERK_API_URL).settle({ contains: clerkId });
  const { data } = await find();
  if (data === null) throw new Error(`Postgres never heard of ${clerkId}. Try --fresh`);
  return data.id;
}
