import { endOrphan } from "./postgres/orphan.ts";
import { CACHE } from "./paths.ts";

/** A folder that one stack at a time keeps its data in. */
export interface DataFolder {
  path: string;
  /** Lets others have the folder; a throw-away one is removed. */
  release(): Promise<void>;
}

const THROW_AWAY = `${CACHE}/stacks`;

/**
 * Takes a folder for one stack, creating it when it is missing, or with null a new one that is
 * removed on release. The lock is the operating system's: it ends with the process, however that
 * ends. Rejects when another stack has the folder, or when it holds something else.
 */
export async function takeDataFolder(path: string | null): Promise<DataFolder> {
  if (path !== null) return await take(path, false);
  await Deno.mkdir(THROW_AWAY, { recursive: true });
  // One at a time: a folder that isn't locked yet looks like an abandoned one.
  const gate = await Deno.open(`${THROW_AWAY}.lock`, { create: true, write: true });
  await gate.lock(true);
  try {
    await removeAbandoned();
    return await take(await Deno.makeTempDir({ dir: THROW_AWAY }), true);
  } finally {
    gate.close();
  }
}

/** Empties a folder that no stack has. Rejects when one has it. */
export async function emptyDataFolder(path: string): Promise<void> {
  const folder = await take(path, false);
  await endOrphan(`${path}/postgres`);
  await Deno.remove(path, { recursive: true });
  await folder.release();
}

async function take(path: string, throwAway: boolean): Promise<DataFolder> {
  // makeTempDir makes folders that only their owner may enter; Postgres has to get through.
  await Deno.mkdir(path, { recursive: true });
  await refuseForeign(path);
  await Deno.chmod(path, 0o755);
  const lock = await Deno.open(`${path}/lock`, { create: true, write: true });
  if (!await lock.tryLock(true)) {
    lock.close();
    throw new Error(`Another stack is using ${path}. Stop it first`);
  }
  return {
    path,
    release: async () => {
      if (throwAway) await Deno.remove(path, { recursive: true });
      lock.close();
    },
  };
}

/** Nobody's photographs are to be emptied, or given to another user. */
async function refuseForeign(path: string): Promise<void> {
  const names = (await Array.fromAsync(Deno.readDir(path))).map(({ name }) => name);
  if (names.length > 0 && !names.includes("lock")) {
    throw new Error(`${path} holds something that is not a stack's data`);
  }
}

/** Clears away what stacks left behind that were killed. */
async function removeAbandoned(): Promise<void> {
  for await (const { name } of Deno.readDir(THROW_AWAY)) {
    const path = `${THROW_AWAY}/${name}`;
    await emptyDataFolder(path).catch(() => {});
  }
}
