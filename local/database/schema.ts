import { type GeneratedFile, runTask } from "./generated_file.ts";
import { describeSchema } from "./schema_sql.ts";

/** The sum of the migrations, for readers. */
export const schemaFile: GeneratedFile = {
  path: "supabase/schema.sql",
  task: "db:schema",
  generate: describeSchema,
};

if (import.meta.main) await runTask(schemaFile);
