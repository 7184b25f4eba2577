import { supabase } from "../supabase/cli.ts";

/**
 * Applies the migrations that a database lacks, with `supabase migration up`, as a deploy does.
 *
 * `databaseUrl` is that of the role `postgres`; `workdir` the folder above `supabase/`, this
 * checkout unless told. Rejects with what the CLI printed when a migration fails.
 */
export async function migrate(databaseUrl: string, workdir?: string): Promise<void> {
  const { code, printed } = await supabase(
    ["migration", "up", `--remote=${databaseUrl}`, "--yes"],
    workdir,
  );
  if (code !== 0) throw new Error(`The migrations could not be applied:\n${printed}`);
}
