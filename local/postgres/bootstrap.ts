import postgres from "postgres";
import { type Cluster, SUPERUSER } from "./cluster.ts";

/** The passwords of the roles that log in. */
export interface Passwords {
  /** Of `postgres` and of the superuser. */
  postgres: string;
  /** Of `authenticator`, the role of the Data API. */
  authenticator: string;
}

/**
 * Gives a cluster what hosted Supabase has before any migration (`bootstrap.sql`), once; on a
 * cluster that has it already, only the passwords are set.
 */
export async function bootstrap(cluster: Cluster, passwords: Passwords): Promise<void> {
  const sql = postgres(cluster.url(SUPERUSER, passwords.postgres), {
    max: 1,
    onnotice: () => {},
  });
  try {
    const [done] = await sql`select to_regnamespace('auth') is not null as done`;
    if (done?.["done"] !== true) {
      const script = await Deno.readTextFile(new URL("bootstrap.sql", import.meta.url));
      await sql.begin((transaction) => transaction.unsafe(script));
    }
    await setPassword(sql, "postgres", passwords.postgres);
    await setPassword(sql, "authenticator", passwords.authenticator);
  } finally {
    await sql.end();
  }
}

async function setPassword(sql: postgres.Sql, role: string, password: string): Promise<void> {
  // `alter role` takes no parameters, so Postgres itself writes the statement with its quotes.
  const [row] =
    await sql`select format('alter role %I password %L', ${role}::text, ${password}::text) as statement`;
  await sql.unsafe(String(row?.["statement"]));
}
