import assert from "node:assert/strict";
import type postgres from "postgres";

/** Fails when a rule that must hold at every commit does not, by Postgres's plain rows. */
export async function assertInvariants(
  sql: postgres.Sql,
  { id }: { readonly id: string },
): Promise<void> {
  const rows = await sql.unsafe(await queries, [id]);
  assert.deepEqual(rows.map(({ broken }) => broken), [], "Invariants");
}

const queries = Deno.readTextFile(new URL("invariants.sql", import.meta.url));
