import assert from "node:assert/strict";
import { relations, routines } from "../database/catalogs.ts";
import { stackEnv } from "../stack.ts";
import { connect } from "../functions/clients.ts";
import { createOrganization, type Organization } from "../functions/organizations.ts";
import { createSubscriber } from "../functions/manage-seats/seats.ts";
import { limitPushed } from "../functions/sync-seats/sync.ts";

const clients = connect(stackEnv());
const { env, sql } = clients;

/** What whoever is signed in may read of his own organization, and may ask about it. */
const READABLE = new Set([
  "billing_changes",
  "organization_invitations",
  "organization_members",
  "organization_seats",
  "organization_subscriptions",
  "organizations",
  "plan_prices",
  "plans",
  "seat_changes",
]);
const CHECKS = new Set(["check_organization_capacity", "check_seat_availability"]);

/** The column by which rows are picked where it is not the organization's id. */
const KEYS: Readonly<Record<string, string>> = {
  organizations: "id",
  plans: "id",
  plan_prices: "plan",
};

/** Somebody who has no business with the organization. */
interface Stranger {
  readonly who: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly isSignedIn: boolean;
}

async function strangers(): Promise<Stranger[]> {
  const apikey = env.SUPABASE_PUBLISHABLE_KEY;
  const { token } = await createOrganization(clients);
  return [
    { who: "nobody", headers: {}, isSignedIn: false },
    { who: "a wrong key", headers: { apikey: "sb_secret_wrong" }, isSignedIn: false },
    { who: "the publishable key", headers: { apikey }, isSignedIn: false },
    {
      who: "the publishable key as a token",
      headers: { apikey, authorization: `Bearer ${apikey}` },
      isSignedIn: false,
    },
    {
      who: "another organization's admin",
      headers: { apikey, authorization: `Bearer ${token}` },
      isSignedIn: true,
    },
  ];
}

/** One request to the Data API. */
async function ask(
  { headers }: Stranger,
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; text: string }> {
  const response = await fetch(`${env.SUPABASE_URL}/rest/v1/${path}`, {
    method,
    headers: { ...headers, "content-type": "application/json" },
    body: body === undefined ? null : JSON.stringify(body),
  });
  return { status: response.status, text: await response.text() };
}

function assertRefused({ status, text }: { status: number; text: string }, told: string): void {
  assert([401, 403].includes(status), `${told}: ${status} ${text}`);
}

/** Every row about an organization, wherever it is. */
async function rowsOf({ id }: Organization): Promise<unknown> {
  const [rows] = await sql`
    select (select to_jsonb(o) from public.organizations as o where o.id = ${id}) as organization,
      (select jsonb_agg(to_jsonb(m) order by m.id) from public.organization_members as m
        where m.organization_id = ${id}) as members,
      (select to_jsonb(s) from public.organization_subscriptions as s
        where s.organization_id = ${id}) as subscription,
      (select count(*) from public.billing_changes where organization_id = ${id}) as bookings`;
  return rows;
}

Deno.test("no table and no view gives an organization to strangers, or takes a row from them", async () => {
  const victim = await createSubscriber(clients);
  await limitPushed(clients, victim);
  const before = await rowsOf(victim);
  const known = await relations(sql);
  const open = known.filter(({ name, kind }) => name.startsWith("public.") && kind !== "S");
  assert(open.length >= READABLE.size);
  for (const stranger of await strangers()) {
    for (const { name, kind } of open) {
      const table = name.replace("public.", "");
      const told = `${stranger.who}, ${table}`;
      const read = await ask(stranger, "GET", `${table}?select=*`);
      if (stranger.isSignedIn && READABLE.has(table)) {
        assert.equal(read.status, 200, told);
        assert(!read.text.includes(victim.id) && !read.text.includes(victim.clerkId), told);
      } else {
        assertRefused(read, told);
      }
      // A view of several tables takes rows from nobody.
      if (kind === "v") continue;
      const column = KEYS[table] ?? "organization_id";
      assertRefused(await ask(stranger, "POST", table, { [column]: victim.id }), told);
      const ofVictim = `${table}?${column}=eq.${victim.id}`;
      assertRefused(await ask(stranger, "PATCH", ofVictim, { [column]: victim.id }), told);
      assertRefused(await ask(stranger, "DELETE", ofVictim), told);
    }
    for (const { name } of known.filter(({ name }) => name.startsWith("private."))) {
      const hidden = await ask(
        { ...stranger, headers: { ...stranger.headers, "accept-profile": "private" } },
        "GET",
        name.replace("private.", ""),
      );
      assert([401, 403, 404, 406].includes(hidden.status), `${stranger.who}, ${name}`);
    }
  }
  assert.deepEqual(await rowsOf(victim), before);
});

/** A value of a type, as an attacker would choose it. */
function valueOf(type: string, { id, clerkId }: Organization): unknown {
  const values: Record<string, unknown> = {
    uuid: id,
    text: clerkId,
    integer: 1,
    bigint: 1,
    boolean: true,
    jsonb: {},
    date: "2026-11-21",
    "timestamp with time zone": "2026-11-21T00:00:00Z",
    "uuid[]": [id],
    "text[]": [clerkId],
  };
  assert(type in values, `There is no value of type ${type}`);
  return values[type];
}

/** The functions of schema public with their arguments. */
async function callables(): Promise<readonly { name: string; names: string[]; types: string[] }[]> {
  const rows = await sql<{ name: string; names: string[]; types: string[] }[]>`
    select p.proname as name,
      to_jsonb(coalesce(p.proargnames[1:p.pronargs], '{}')) as names,
      (select coalesce(jsonb_agg(pg_catalog.format_type(t, null) order by n), '[]')
        from unnest(p.proargtypes) with ordinality as a (t, n)) as types
    from pg_catalog.pg_proc as p
    where p.pronamespace = 'public'::regnamespace and p.prorettype <> 'trigger'::regtype`;
  return [...rows];
}

Deno.test("no function does anything for strangers", async () => {
  const victim = await createSubscriber(clients);
  await limitPushed(clients, victim);
  const before = await rowsOf(victim);
  const known = new Set(
    (await routines(sql)).filter(({ name }) => name.startsWith("public."))
      .map(({ name }) => name.slice("public.".length, name.indexOf("("))),
  );
  const ours = (await callables()).filter(({ name }) => known.has(name));
  assert(ours.length > CHECKS.size);
  for (const stranger of await strangers()) {
    for (const { name, names, types } of ours) {
      const told = `${stranger.who}, ${name}`;
      const args = Object.fromEntries(
        names.map((argument, index) => [argument, valueOf(types[index] ?? "", victim)]),
      );
      const answer = await ask(stranger, "POST", `rpc/${name}`, args);
      if (stranger.isSignedIn && CHECKS.has(name)) {
        assert.deepEqual([answer.status, answer.text.trim()], [200, "[]"], told);
      } else {
        assertRefused(answer, told);
      }
    }
  }
  assert.deepEqual(await rowsOf(victim), before);
});
