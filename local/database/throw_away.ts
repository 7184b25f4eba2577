import { takeDataFolder } from "../data_folder.ts";
import type { PostgresMajor } from "../postgres/binaries.ts";
import { bootstrap } from "../postgres/bootstrap.ts";
import { startCluster } from "../postgres/cluster.ts";
import { migrate } from "../postgres/migrate.ts";

const PASSWORD = "throw-away";

/**
 * Runs `work` on a migrated database of its own, given by the address for the role `postgres`, and
 * removes it afterwards. Rejects when the database can't be had, a migration fails, or `work` does.
 */
export async function onThrowAwayDatabase<T>(
  work: (databaseUrl: string) => Promise<T>,
  major: PostgresMajor = 17,
): Promise<T> {
  await using parts = new AsyncDisposableStack();
  const folder = await takeDataFolder(null);
  parts.defer(folder.release);
  const cluster = await startCluster({
    folder: folder.path,
    password: PASSWORD,
    durable: false,
    major,
  });
  parts.defer(cluster.stop);
  await bootstrap(cluster, { postgres: PASSWORD, authenticator: PASSWORD });
  const url = cluster.url("postgres", PASSWORD);
  await migrate(url);
  return await work(url);
}
