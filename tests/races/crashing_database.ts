import { takeDataFolder } from "../../local/data_folder.ts";
import { bootstrap } from "../../local/postgres/bootstrap.ts";
import { type Cluster, startCluster } from "../../local/postgres/cluster.ts";
import { migrate } from "../../local/postgres/migrate.ts";

const PASSWORD = "throw-away";

/** A migrated database of a test's own, whose commits are durable, and whose server can crash. */
export interface CrashingDatabase {
  /** For the role `postgres`; the same after a crash. */
  readonly url: string;
  /** Resolves once the server is up: at once while it is. */
  up(): Promise<void>;
  /**
   * Ends the server as `pg_ctl stop -m immediate` does: every connection breaks where it stands and
   * nothing more is written. Starts it again; resolves once it has recovered from its log.
   */
  crash(): Promise<void>;
}

/** Runs with a database that can crash, and removes it afterwards. */
export async function withCrashingDatabase(
  run: (database: CrashingDatabase) => Promise<void>,
): Promise<void> {
  await using parts = new AsyncDisposableStack();
  const { path: folder, release } = await takeDataFolder(null);
  parts.defer(release);
  const start = (preferredPort = 0) =>
    startCluster({ folder, password: PASSWORD, durable: true, preferredPort });
  let cluster: Cluster = await start();
  let starting = Promise.resolve();
  parts.defer(() => starting.then(() => cluster.stop()));
  await bootstrap(cluster, { postgres: PASSWORD, authenticator: PASSWORD });
  const url = cluster.url("postgres", PASSWORD);
  await migrate(url);

  const restart = async () => {
    const { port } = cluster;
    // The first line of the file is the server's process (PostgreSQL: Starting the database server).
    const pid = Number.parseInt(await Deno.readTextFile(`${folder}/postgres/postmaster.pid`));
    Deno.kill(pid, "SIGQUIT");
    await cluster.stop();
    cluster = await start(port);
    if (cluster.port !== port) throw new Error("Somebody else has taken the port meanwhile");
  };
  await run({
    url,
    up: () => starting,
    crash: () => starting = starting.then(restart),
  });
}
