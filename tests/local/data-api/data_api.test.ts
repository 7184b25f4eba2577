import assert from "node:assert/strict";
import postgres from "postgres";
import { SUPERUSER } from "../../../local/postgres/cluster.ts";
import { startThrowAwayApi } from "./throw_away_api.ts";

const DDL = `
  create table public.notes (
    id integer primary key,
    owner text not null,
    body jsonb not null default '{}',
    at timestamptz not null default '2026-01-02 03:04:05.6+00',
    constraint notes_owner_lower check (owner = lower(owner))
  );
  alter table public.notes enable row level security;
  revoke all on public.notes from anon, authenticated;
  grant select on public.notes to authenticated;
  create policy own on public.notes for select to authenticated
    using (owner = (select auth.jwt() ->> 'sub'));
  insert into public.notes (id, owner) values (1, 'user_ada'), (2, 'user_max');

  create table public.forgotten (id integer primary key);
  insert into public.forgotten values (1);

  create schema private;
  create table private.hidden (id integer);
  alter table private.hidden enable row level security;

  create function public.echo(p_value jsonb, p_times integer default 1) returns jsonb
  language sql as $$
    select jsonb_build_object('type', jsonb_typeof(p_value), 'value', p_value,
      'role', current_user, 'claims', auth.jwt())
  $$;
  create function public.fail(p_sqlstate text) returns void language plpgsql as $$
  begin
    raise exception using errcode = p_sqlstate, message = 'a_code', detail = '{"a": 1}',
      hint = 'A sentence.';
  end $$;
  create function public.for_the_server() returns integer language sql as 'select 1';
  revoke execute on function public.for_the_server() from public, anon, authenticated;
  create function public.table_of_one() returns table (can_add boolean, seats integer)
  language sql as 'select true, 5';
`;

Deno.test("the Data API answers as PostgREST does", async (test) => {
  await using api = await startThrowAwayApi(DDL);
  const { anon, service } = api;

  await test.step("anon is refused what it has no grant for", async () => {
    const { status, error } = await anon.from("notes").select();
    assert.deepEqual([status, error?.code], [401, "42501"]);
  });

  await test.step("a revoke that was forgotten shows, as it would at hosted Supabase", async () => {
    const { data } = await anon.from("forgotten").select();
    assert.deepEqual(data, [{ id: 1 }]);
  });

  await test.step("grants stay as they were made", async () => {
    const [row] = await api.sql`
      select has_table_privilege('anon', 'public.notes', 'select') as anon,
        has_table_privilege('authenticated', 'public.notes', 'insert') as authenticated`;
    assert.deepEqual({ ...row }, { anon: false, authenticated: false });
  });

  await test.step("a Clerk token makes authenticated, who reads what the policies let", async () => {
    const { data } = await api.signedIn().from("notes").select("id");
    assert.deepEqual(data, [{ id: 1 }]);
  });

  await test.step("Clerk's claims reach the database", async () => {
    const { data } = await api.signedIn().rpc("echo", { p_value: {} });
    assert.equal(data.role, "authenticated");
    assert.equal(data.claims.sub, "user_ada");
    assert.deepEqual(data.claims.o, { id: "org_acme", rol: "admin", slg: "acme" });
  });

  await test.step("a token cannot name a role for itself", async () => {
    const { data } = await api.signedIn({ role: "service_role" }).rpc("echo", { p_value: {} });
    assert.equal(data.role, "authenticated");
  });

  await test.step("authenticated writes nothing without a grant", async () => {
    const insert = await api.signedIn().from("notes").insert({ id: 3, owner: "user_ada" });
    assert.deepEqual([insert.status, insert.error?.code], [403, "42501"]);
    const update = await api.signedIn().from("notes").update({ owner: "x" }).eq("id", 1);
    assert.deepEqual([update.status, update.error?.code], [403, "42501"]);
  });

  await test.step("a forged token and one that has run out are 401", async () => {
    const past = Math.floor(Date.now() / 1000) - 600;
    for (const client of [api.forged(), api.signedIn({ exp: past })]) {
      const { status, data } = await client.from("notes").select();
      assert.deepEqual([status, data], [401, null]);
    }
  });

  await test.step("no key and a wrong key are 401, from this machine too", async () => {
    for (const headers of [{}, { apikey: "sb_secret_wrong" }]) {
      const answer = await fetch(`${api.url}/rest/v1/notes`, { headers });
      assert.equal(answer.status, 401);
      await answer.body?.cancel();
    }
  });

  await test.step("the secret key is service_role, which passes row level security", async () => {
    const { data } = await service.from("notes").select("id").order("id");
    assert.deepEqual(data, [{ id: 1 }, { id: 2 }]);
  });

  await test.step("jsonb arguments arrive as what they are", async () => {
    for (const value of [{ a: [1, "x", null], b: { c: "ü" } }, [1, 2], [], {}, 5, true]) {
      const { data } = await service.rpc("echo", { p_value: value });
      assert.deepEqual(data.value, value);
    }
  });

  await test.step("a refusal keeps its status, code, message, details and hint", async () => {
    for (const status of [402, 404, 409, 422]) {
      const answer = await service.rpc("fail", { p_sqlstate: `PT${status}` });
      assert.equal(answer.status, status);
      const { code, message, details, hint } = answer.error ?? {};
      assert.deepEqual([code, message, details, hint], [
        `PT${status}`,
        "a_code",
        '{"a": 1}',
        "A sentence.",
      ]);
    }
  });

  await test.step("other SQLSTATEs have PostgREST's statuses", async () => {
    const statuses = {
      P0001: 400,
      "23514": 400,
      "23505": 409,
      "22023": 400,
      "40001": 500,
      "57014": 500,
      "53300": 503,
      "28000": 403,
      SK001: 400,
    };
    for (const [code, status] of Object.entries(statuses)) {
      const answer = await service.rpc("fail", { p_sqlstate: code });
      assert.deepEqual([answer.error?.code, answer.status], [code, status]);
      assert.equal(answer.error?.message, "a_code");
    }
  });

  await test.step("a broken constraint is 400 or 409, by its kind", async () => {
    const check = await service.from("notes").insert({ id: 7, owner: "UPPER" });
    assert.deepEqual([check.status, check.error?.code], [400, "23514"]);
    const unique = await service.from("notes").insert({ id: 1, owner: "x" });
    assert.deepEqual([unique.status, unique.error?.code], [409, "23505"]);
  });

  await test.step("functions are called only by those who may", async () => {
    assert.equal((await service.rpc("for_the_server")).data, 1);
    assert.equal((await api.signedIn().rpc("for_the_server")).status, 403);
    assert.equal((await anon.rpc("for_the_server")).status, 401);
    assert.equal((await service.rpc("nonesuch")).status, 404);
  });

  await test.step("who may not become a role is told so, and nothing is done", async () => {
    // Whoever has granted it: the superuser.
    const url = new URL(api.databaseUrl);
    url.username = SUPERUSER;
    const superuser = postgres(url.href, { max: 1 });
    await superuser`revoke service_role from authenticator`;
    const { status, error } = await service.rpc("for_the_server");
    assert.deepEqual([status, error?.code], [403, "42501"]);
    assert.match(error?.message ?? "", /set role/);
    await superuser`grant service_role to authenticator`;
    await superuser.end();
    assert.equal((await service.rpc("for_the_server")).data, 1);
  });

  await test.step("a table of one row is read as an object", async () => {
    const { data } = await service.rpc("table_of_one").single();
    assert.deepEqual(data, { can_add: true, seats: 5 });
  });

  await test.step("points in time and documents read as JSON", async () => {
    const { data } = await service.from("notes").select("at, body").eq("id", 1).single();
    assert.deepEqual(data, { at: "2026-01-02T03:04:05.6+00:00", body: {} });
  });

  await test.step("what is not in an exposed schema is not there", async () => {
    const { status } = await service.schema("private").from("hidden").select();
    assert.equal(status, 406);
  });
});
