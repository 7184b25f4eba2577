import { takeDataFolder } from "../../local/data_folder.ts";
import { bootstrap } from "../../local/postgres/bootstrap.ts";
import { startCluster } from "../../local/postgres/cluster.ts";
import { migrate } from "../../local/postgres/migrate.ts";

const PASSWORD = "throw-away";

/** A migrated database of a test's own, whose commits are durable, and whose server can crash. */
export interface CrashingDatabase {
  /** For the role `postgres`; the same after a crash. */
  readonly url: string;
  /** Resolves once the server is up: at once while it is. */
  up(): Promise<void>;
  /** Crashes; resolves once the server has recovered. */
  crash(): Promise<void>;
}

/** Runs with a database that can crash, and removes it afterwards. */
export async function withCrashingDatabase(
  run: (database: CrashingDatabase) => Promise<void>,
): Promise<void> {
  await using parts = new AsyncDisposableStack();
  const { path: folder, release } = await takeDataFolder(null);
  parts.defer(release);
  const cluster = await startCluster({ folder, password: PASSWORD, durable: true });
  let recovering = Promise.resolve();
  parts.defer(() => recovering.then(cluster.stop));
  await bootstrap(cluster, { postgres: PASSWORD, authenticator: PASSWORD });
  const url = cluster.url("postgres", PASSWORD);
  await migrate(url);
  await run({
    url,
    up: () => recovering,
    crash: () => recovering = recovering.then(cluster.crash),
  });
}
