import { CACHE, CHECKOUT, PATH } from "../paths.ts";

/** What a command of the Supabase CLI printed, and how it ended. */
export interface CliResult {
  code: number;
  stdout: string;
  /** Both streams, for a person. */
  printed: string;
}

const ARCHITECTURES: Record<string, string> = { x86_64: "x64", aarch64: "arm64" };

/**
 * Runs the Supabase CLI that npm installed, in this checkout or `workdir` (the folder above
 * `supabase/`). It writes nothing outside the checkout and calls nobody but the database it is
 * given.
 */
export async function supabase(args: string[], workdir = CHECKOUT): Promise<CliResult> {
  const home = `${CACHE}/supabase`;
  const temporary = `${home}/tmp`;
  await Deno.mkdir(temporary, { recursive: true });
  const { code, stdout, stderr } = await new Deno.Command(await binary(), {
    args: [...args, "--agent", "no", "--workdir", workdir],
    env: {
      PATH,
      HOME: home,
      TMPDIR: temporary,
      SUPABASE_HOME: home,
      SUPABASE_TELEMETRY_DISABLED: "1",
      SUPABASE_NO_UPDATE_NOTIFIER: "1",
      DO_NOT_TRACK: "1",
      NO_COLOR: "1",
      PGSSLMODE: "disable",
    },
    clearEnv: true,
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  const output = text.decode(stdout);
  return { code, stdout: output, printed: `${output}${text.decode(stderr)}`.trim() };
}

async function binary(): Promise<string> {
  const architecture = ARCHITECTURES[Deno.build.arch] ?? Deno.build.arch;
  for (const suffix of ["", "-musl"]) {
    const name = `cli-${Deno.build.os}-${architecture}${suffix}`;
    const path = `${CHECKOUT}/node_modules/@supabase/${name}/bin/supabase`;
    if (await Deno.stat(path).then(() => true, () => false)) return path;
  }
  throw new Error(`npm has no Supabase CLI for ${Deno.build.os} ${Deno.build.arch}`);
}
