import assert from "node:assert/strict";
import postgres from "postgres";
import { onThrowAwayDatabase } from "../../local/database/throw_away.ts";
import { CHECKOUT } from "../../local/paths.ts";
import { rolledBack, type Transaction } from "./connection.ts";

/** What a client may listen to: what row level security lets it read of its organizations. */
const LISTENED = [
  "organization_invitations",
  "organization_members",
  "organization_subscriptions",
  "organizations",
  "seat_changes",
];

/** What Realtime publishes, of which schema `public` is ours. */
async function published(sql: Transaction): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`
    select tablename as name from pg_catalog.pg_publication_tables
    where pubname = 'supabase_realtime' and schemaname = 'public' order by 1`;
  return rows.map(({ name }) => name);
}

Deno.test("Realtime", async (test) => {
  const path = `${CHECKOUT}/supabase/migrations/20261121091250_realtime.sql`;
  const migration = await Deno.readTextFile(path);
  await onThrowAwayDatabase(async (databaseUrl) => {
    const sql = postgres(databaseUrl, { max: 1, fetch_types: false, onnotice: () => {} });
    const step = (name: string, run: (sql: Transaction) => Promise<void>) =>
      test.step(name, () => rolledBack(sql, run));
    try {
      await step("what clients read is published where Realtime is", async (sql) => {
        assert.deepEqual(await published(sql), LISTENED);
        await sql.unsafe(migration);
        assert.deepEqual(await published(sql), LISTENED);
      });
      await step("what else is published stays so", async (sql) => {
        await sql`alter publication supabase_realtime set table public.plans, public.organizations`;
        await sql.unsafe(migration);
        assert.deepEqual(await published(sql), [...LISTENED, "plans"].sort());
      });
      await step("a project without Realtime is left without", async (sql) => {
        await sql`drop publication supabase_realtime`;
        await sql.unsafe(migration);
        assert.equal((await sql`select from pg_catalog.pg_publication`).length, 0);
      });
    } finally {
      await sql.end();
    }
  });
});
