import assert from "node:assert/strict";
import postgres from "postgres";
import { isCurrent } from "../../../local/database/generated_file.ts";
import { schemaFile } from "../../../local/database/schema.ts";
import { describeSchema } from "../../../local/database/schema_sql.ts";
import { onThrowAwayDatabase } from "../../../local/database/throw_away.ts";
import { typesFile } from "../../../local/database/types.ts";
import { CACHE, CHECKOUT } from "../../../local/paths.ts";
import { findBinaries } from "../../../local/postgres/binaries.ts";
import { migrate } from "../../../local/postgres/migrate.ts";
import { supabase } from "../../../local/supabase/cli.ts";

const hasPostgres15 = await findBinaries(15) !== null;

Deno.test("on Postgres 17", async (test) => {
  await onThrowAwayDatabase(async (databaseUrl) => {
    for (const file of [schemaFile, typesFile]) {
      await test.step(`${file.path} is what "npm run ${file.task}" makes`, async () => {
        assert.ok(await isCurrent(file, databaseUrl), `It is stale: run "npm run ${file.task}"`);
      });
    }

    await test.step("the Supabase advisors find nothing", async () => {
      const args = ["db", "advisors", "--fail-on", "warn", `--remote=${databaseUrl}`];
      const { code, printed } = await supabase(args);
      assert.equal(code, 0, printed);
    });

    await test.step("migrating again changes nothing", async () => {
      const before = await describeSchema(databaseUrl);
      await migrate(databaseUrl);
      assert.equal(await describeSchema(databaseUrl), before);
    });

    await test.step("a migration that fails is reported with the database's words", async () => {
      const workdir = `${CACHE}/tests/${crypto.randomUUID()}`;
      await Deno.mkdir(`${workdir}/supabase/migrations`, { recursive: true });
      for await (const { name } of Deno.readDir(`${CHECKOUT}/supabase/migrations`)) {
        const path = `supabase/migrations/${name}`;
        await Deno.copyFile(`${CHECKOUT}/${path}`, `${workdir}/${path}`);
      }
      const broken = `${workdir}/supabase/migrations/29990101000000_broken.sql`;
      await Deno.writeTextFile(broken, "select nonesuch();");
      await assert.rejects(migrate(databaseUrl, workdir), /function nonesuch\(\) does not exist/);
      await Deno.remove(workdir, { recursive: true });
    });
  });
});

Deno.test({
  name: "the migrations apply on Postgres 15",
  ignore: !hasPostgres15,
  fn: async () => {
    const version = await onThrowAwayDatabase(async (databaseUrl) => {
      const sql = postgres(databaseUrl);
      const [row] = await sql`show server_version`;
      await sql.end();
      return row?.["server_version"];
    }, 15);
    assert.match(version, /^15\./);
  },
});
