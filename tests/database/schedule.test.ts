import assert from "node:assert/strict";
import { stackEnv } from "../stack.ts";
import { only, type Transaction, withTransaction } from "./connection.ts";

/*
 * Vault, pg_net and pg_cron are not in this Postgres: what takes their place here has the names and
 * signatures that they have, and is rolled back with the rest.
 */

const URL_SECRET = ["seatkeeper_functions_url", "https://project.example/functions/v1/"] as const;
const KEY_SECRET = ["seatkeeper_secret_key", "sb_secret_something"] as const;

/** A request as pg_net queues it. */
interface Posted {
  readonly url: string;
  readonly body: unknown;
  readonly headers: Record<string, string>;
  readonly timeout_milliseconds: number;
}

async function standIns(sql: Transaction): Promise<void> {
  await sql`create schema vault`;
  await sql`create table vault.decrypted_secrets (name text, decrypted_secret text)`;
  await sql`create schema net`;
  await sql`
    create table net.posted (
      id bigint generated always as identity, url text, body jsonb, headers jsonb,
      timeout_milliseconds integer
    )`;
  await sql`
    create function net.http_post(
      url text, body jsonb default '{}', params jsonb default '{}',
      headers jsonb default '{"Content-Type": "application/json"}',
      timeout_milliseconds integer default 5000
    ) returns bigint language sql as $$
      insert into net.posted (url, body, headers, timeout_milliseconds)
      values (url, body, headers, timeout_milliseconds) returning id
    $$`;
  await sql`create schema cron`;
  await sql`create table cron.job (jobname text, schedule text, command text)`;
  await sql`
    create function cron.schedule(job_name text, schedule text, command text)
    returns bigint language sql as $$
      insert into cron.job values (job_name, schedule, command); select 1::bigint
    $$`;
}

async function keep(sql: Transaction, [name, secret]: readonly [string, string]): Promise<void> {
  await sql`insert into vault.decrypted_secrets values (${name}, ${secret})`;
}

/** Wakes the sweep; resolves to what pg_net was given to post. */
async function wake(sql: Transaction): Promise<readonly Posted[]> {
  await sql`select private.wake_sync()`;
  return await sql<Posted[]>`select url, body, headers, timeout_milliseconds from net.posted`;
}

Deno.test("wake_sync() posts a sweep, with the secret key from Vault", () =>
  withTransaction(async (sql) => {
    await standIns(sql);
    await keep(sql, URL_SECRET);
    await keep(sql, KEY_SECRET);

    const posted = only(await wake(sql));

    assert.equal(posted.url, "https://project.example/functions/v1/sync-seats");
    assert.equal(posted.timeout_milliseconds, 150_000);
  }));

Deno.test("what wake_sync() posts is what sync-seats takes", () =>
  withTransaction(async (sql) => {
    const { SUPABASE_URL, SUPABASE_SECRET_KEY } = stackEnv();
    await standIns(sql);
    await keep(sql, [URL_SECRET[0], `${SUPABASE_URL}/functions/v1`]);
    await keep(sql, [KEY_SECRET[0], SUPABASE_SECRET_KEY]);

    const { url, body, headers } = only(await wake(sql));
    // Another organization's key in the token would say the same: that nothing but the method is
    // wrong with it, so that no sweep touches what the other tests look at.
    const asked = await fetch(url, { headers });
    const { code } = await asked.json();
    const refused = await fetch(url, {
      method: "POST",
      headers,
      body: JSON.stringify({ ...Object(body), limit: 0 }),
    });

    assert.equal(code, "method_not_allowed");
    assert.deepEqual(body, { sweep: true });
    assert.equal((await refused.json()).code, "invalid_request");
  }));

for (const missing of [URL_SECRET, KEY_SECRET]) {
  Deno.test(`wake_sync() does nothing while Vault has no ${missing[0]}`, () =>
    withTransaction(async (sql) => {
      await standIns(sql);
      for (const secret of [URL_SECRET, KEY_SECRET]) {
        if (secret !== missing) await keep(sql, secret);
      }

      assert.deepEqual([...await wake(sql)], []);
    }));
}

Deno.test("schedule_sync() has pg_cron wake the sweep, and tells it no secret", () =>
  withTransaction(async (sql) => {
    await standIns(sql);
    await keep(sql, URL_SECRET);
    await keep(sql, KEY_SECRET);

    await sql`select private.schedule_sync()`;

    assert.deepEqual({ ...only(await sql`select * from cron.job`) }, {
      jobname: "seatkeeper-sweep",
      schedule: "* * * * *",
      command: "select private.wake_sync()",
    });
  }));

Deno.test("on a Postgres without them nothing is scheduled, and nothing fails", () =>
  withTransaction(async (sql) => {
    const { woken, scheduled } = only(
      await sql`select private.wake_sync() as woken, private.schedule_sync() as scheduled`,
    );
    assert.deepEqual([woken, scheduled], [null, false]);
  }));
