import { CHECKOUT } from "../paths.ts";
import { supabase } from "../supabase/cli.ts";
import { type GeneratedFile, runTask } from "./generated_file.ts";

/** The types of tables, views and functions of `public`, for supabase-js. */
export const typesFile: GeneratedFile = {
  path: "supabase/functions/_shared/database.types.ts",
  task: "db:types",
  generate: generateTypes,
};

/** Rejects with what the CLI printed when it can't make the types. */
async function generateTypes(databaseUrl: string): Promise<string> {
  const { code, stdout, printed } = await supabase([
    "gen",
    "types",
    "--schema=public",
    `--remote=${databaseUrl}`,
  ]);
  if (code !== 0) throw new Error(`The types could not be made:\n${printed}`);
  return await format(stdout);
}

/** Formats as `deno fmt` does in this checkout. */
async function format(source: string): Promise<string> {
  const formatter = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--ext=ts", "-"],
    cwd: CHECKOUT,
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const input = new Blob([source]).stream().pipeTo(formatter.stdin);
  const [{ success, stdout }] = await Promise.all([formatter.output(), input]);
  if (!success) throw new Error("The types could not be formatted");
  return new TextDecoder().decode(stdout);
}

if (import.meta.main) await runTask(typesFile);
