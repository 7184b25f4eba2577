import postgres from "postgres";
import { SUPERUSER } from "../local/postgres/cluster.ts";
import type { StackEnv } from "../local/stack_env.ts";

/** What every line measures on, and how much of it. */
export interface Bench {
  readonly env: StackEnv;
  /** Whether a tenth of the time and smaller sizes do. */
  readonly quick: boolean;
}

/** Connections that each do one thing at a time. */
export type Connections = readonly postgres.Sql[];

/** Opens that many connections, runs with them, and closes them. */
export async function withConnections<Result>(
  { env }: Pick<Bench, "env">,
  count: number,
  run: (connections: Connections) => Promise<Result>,
): Promise<Result> {
  const connections = Array.from({ length: count }, () => connect(env.DATABASE_URL));
  try {
    await Promise.all(connections.map((sql) => sql`select`));
    return await run(connections);
  } finally {
    await Promise.all(connections.map((sql) => sql.end()));
  }
}

/** Runs with one connection of the superuser, for what `postgres` may not load or set. */
export async function asSuperuser<Result>(
  { env }: Pick<Bench, "env">,
  onnotice: (notice: postgres.Notice) => void,
  run: (sql: postgres.Sql) => Promise<Result>,
): Promise<Result> {
  const url = new URL(env.DATABASE_URL);
  url.username = SUPERUSER;
  const sql = connect(url.href, onnotice);
  try {
    return await run(sql);
  } finally {
    await sql.end();
  }
}

function connect(url: string, onnotice: (notice: postgres.Notice) => void = () => {}) {
  return postgres(url, { max: 1, fetch_types: false, onnotice });
}

/** The connection of a client, by its number. */
export function connectionOf(connections: Connections, client: number): postgres.Sql {
  const sql = connections[client];
  if (sql === undefined) throw new Error(`There is no connection ${client}`);
  return sql;
}
