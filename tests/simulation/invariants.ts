import assert from "node:assert/strict";
import type { World } from "./world.ts";

/** Fails when a rule that must hold at every commit does not, by Postgres's plain rows. */
export async function assertInvariants({ clients: { sql }, organization }: World): Promise<void> {
  const text = await queries;
  const rows = await sql.unsafe(text, [organization.id]);
  assert.deepEqual(rows.map(({ broken }) => broken), [], "Invariants");
}

const queries = Deno.readTextFile(new URL("invariants.sql", import.meta.url));
