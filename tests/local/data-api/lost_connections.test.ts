import assert from "node:assert/strict";
import postgres from "postgres";
import { startThrowAwayApi, type ThrowAwayApi } from "./throw_away_api.ts";

const DDL = `
  create function public.wait() returns integer language plpgsql as $$
  begin
    perform pg_catalog.pg_advisory_xact_lock_shared(1);
    return 1;
  end $$;
`;

/** The connections that the Data API has, and more requests than that. */
const CONNECTIONS = 20;
const REQUESTS = 30;

/** Has requests wait in the database until `end` has ended them; resolves to how each was answered. */
async function cutOff(
  { databaseUrl, service }: ThrowAwayApi,
  end: (sql: postgres.Sql) => Promise<unknown>,
): Promise<Set<string>> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  await sql`select pg_catalog.pg_advisory_lock(1)`;
  const requests = Array.from(
    { length: REQUESTS },
    () => service.rpc("wait").then(({ status, error }) => `${status} ${error?.code ?? ""}`),
  );
  // Nobody announces that they wait; each question is a round trip.
  const isWaiting = async () => {
    const rows = await sql`select from pg_catalog.pg_locks where not granted`;
    return rows.length === CONNECTIONS;
  };
  while (!await isWaiting());
  await end(sql);
  // The lock goes with its connection.
  await sql.end({ timeout: 0 });
  return new Set(await Promise.all(requests));
}

Deno.test("requests that lose their connection are told, and the next ones have another", async (test) => {
  await using api = await startThrowAwayApi(DDL);
  const { service } = api;

  await test.step("when connections are terminated", async () => {
    const answers = await cutOff(api, (sql) =>
      sql`
        select pg_catalog.pg_terminate_backend(pid) from pg_catalog.pg_stat_activity
        where usename = 'authenticator'`);
    assert.deepEqual(answers, new Set(["503 PGRST001", "200 "]));
    assert.equal((await service.rpc("wait")).data, 1);
  });

  await test.step("when Postgres crashes", async () => {
    const answers = await cutOff(api, api.crash);
    assert(answers.has("503 PGRST001"));
    answers.delete("200 ");
    assert.equal(answers.size, 1, [...answers].join());
    assert.equal((await service.rpc("wait")).data, 1);
  });
});
