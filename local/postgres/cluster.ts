import { startLeashed } from "../processes/leash.ts";
import { PATH } from "../paths.ts";
import { freePort } from "../ports.ts";
import { findBinaries, type PostgresBinaries, type PostgresMajor } from "./binaries.ts";
import { endOrphan, pidOf } from "./orphan.ts";
import { type Unprivileged, unprivileged } from "./unprivileged.ts";

/** Which cluster to start, and how. */
export interface ClusterOptions {
  /** An existing folder of which this cluster gets the folder `postgres`; kept on `stop`. */
  folder: string;
  /** Password of the superuser, and of `postgres`. Fixed once the cluster exists. */
  password: string;
  /** Whether commits survive a power cut. A throw-away cluster is faster without. */
  durable: boolean;
  major?: PostgresMajor;
  preferredPort?: number;
  log?: (line: string) => void;
}

/** A running Postgres. */
export interface Cluster {
  port: number;
  /** Address of the database `postgres` for a role and its password. */
  url(role: string, password: string): string;
  /** Fast shutdown: open transactions are rolled back. Resolves when the server has ended. */
  stop(): Promise<void>;
  /**
   * Immediate shutdown, as a crash: every connection breaks where it stands and nothing more is
   * written. Resolves when the server is up again, at the same address, and has recovered.
   */
  crash(): Promise<void>;
}

/** A running server of a cluster. */
type Server = Pick<Cluster, "port" | "stop">;

/** The superuser, under the name that it has at hosted Supabase. */
export const SUPERUSER = "supabase_admin";

const ENVIRONMENT = { PATH, LC_ALL: "C", TZ: "UTC" };
const ATTEMPTS = 3;

/**
 * Starts Postgres on 127.0.0.1 from the programs that npm installed, creating the cluster first
 * when there is none. Nothing outside of `folder` is written.
 *
 * Rejects with what Postgres printed when it can't be created or started.
 */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const major = options.major ?? 17;
  const binaries = await findBinaries(major);
  if (binaries === null) throw new Error(`npm has no Postgres ${major} for this platform`);
  const user = await unprivileged([binaries.postgres, options.folder]);
  const data = `${options.folder}/postgres`;
  await create(data, binaries, user, options);
  await endOrphan(data);
  const startAt = (port: number) => start(data, port, binaries, user, options);
  let server = await startAnywhere(startAt, options.preferredPort);
  const { port } = server;
  return {
    port,
    url: (role, password) => `postgresql://${role}:${password}@127.0.0.1:${port}/postgres`,
    stop: () => server.stop(),
    crash: async () => {
      Deno.kill(await pidOf(data), "SIGQUIT");
      await server.stop();
      server = await startAt(port);
    },
  };
}

/** Starts a server at the preferred port if that is free; another one may be taken meanwhile. */
async function startAnywhere(
  startAt: (port: number) => Promise<Server>,
  preferredPort?: number,
): Promise<Server> {
  for (let attempt = 1;; attempt++) {
    try {
      return await startAt(freePort(attempt === 1 ? preferredPort : 0));
    } catch (error) {
      const taken = error instanceof Error && error.message.includes("Address already in use");
      if (!taken || attempt === ATTEMPTS) throw error;
    }
  }
}

async function create(
  data: string,
  binaries: PostgresBinaries,
  user: Unprivileged,
  options: ClusterOptions,
): Promise<void> {
  if (await Deno.stat(data).then(() => true, () => false)) return;
  // Under another name until it is whole, so that an interrupted run leaves no half a cluster.
  const partial = `${data}.partial`;
  const passwordFile = `${data}.password`;
  await Deno.remove(partial, { recursive: true }).catch(() => {});
  await Deno.mkdir(partial, { mode: 0o700 });
  await user.own(partial);
  await Deno.writeTextFile(passwordFile, `${options.password}\n`, { mode: 0o600 });
  try {
    await user.own(passwordFile);
    const { command, args } = user.commandLine(binaries.initdb, [
      `--pgdata=${partial}`,
      `--username=${SUPERUSER}`,
      `--pwfile=${passwordFile}`,
      "--auth=scram-sha-256",
      "--encoding=UTF8",
      ...localeFlags(options.major ?? 17),
      "--no-instructions",
      ...(options.durable ? [] : ["--no-sync"]),
    ]);
    await run(command, args);
  } finally {
    await Deno.remove(passwordFile);
  }
  await Deno.rename(partial, data);
}

/** The same rules on every machine: no locale of the operating system is involved. */
function localeFlags(major: PostgresMajor): string[] {
  if (major === 15) return ["--locale=C", "--locale-provider=icu", "--icu-locale=und"];
  return ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"];
}

async function run(command: string, args: string[]): Promise<void> {
  const lines: string[] = [];
  const code = await startLeashed({
    command,
    args,
    env: ENVIRONMENT,
    stopSignal: "TERM",
    patienceMs: 1000,
    onLine: (line) => lines.push(line),
  }).ended;
  if (code !== 0) throw new Error(`Postgres could not create a cluster:\n${lines.join("\n")}`);
}

async function start(
  data: string,
  port: number,
  binaries: PostgresBinaries,
  user: Unprivileged,
  options: ClusterOptions,
): Promise<Server> {
  const ready = Promise.withResolvers<void>();
  const firstLines: string[] = [];
  let phase: "starting" | "running" | "stopping" = "starting";
  const { command, args } = user.commandLine(binaries.postgres, [
    "-D",
    data,
    ...settings(port, options.durable).flatMap((setting) => ["-c", setting]),
  ]);
  const server = startLeashed({
    command,
    args,
    env: ENVIRONMENT,
    stopSignal: "INT",
    patienceMs: 60_000,
    onLine: (line) => {
      if (phase === "running") options.log?.(line);
      if (phase !== "starting") return;
      firstLines.push(line);
      if (line.includes("ready to accept connections")) {
        phase = "running";
        ready.resolve();
      }
    },
  });
  server.ended.then((code) => {
    ready.reject(new Error(`Postgres ended with code ${code}:\n${firstLines.join("\n")}`));
  });
  await ready.promise;
  return {
    port,
    stop: () => {
      phase = "stopping";
      return server.stop();
    },
  };
}

function settings(port: number, durable: boolean): string[] {
  const always = [
    "listen_addresses=127.0.0.1",
    `port=${port}`,
    "unix_socket_directories=",
    // Shared memory in the data folder, too.
    "dynamic_shared_memory_type=mmap",
    "max_connections=200",
    "timezone=UTC",
    "log_timezone=UTC",
    "lc_messages=C",
    "wal_level=logical",
    "log_checkpoints=off",
    // Not every refused statement: whoever sent it is told.
    "log_min_messages=log",
  ];
  return durable ? always : [...always, "fsync=off", "synchronous_commit=off"];
}
