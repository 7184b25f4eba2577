import { createPostgresConnection, type PostgresConnection } from "@supabase/lite/postgres";
import { ConnectionLost, ConnectionPool } from "./connection_pool.ts";
import { AnsweredError, isDatabaseError, LOST, withStatus } from "./sqlstates.ts";

/**
 * Opens the Data API's connection to Postgres, as the role `authenticator`, which owns nothing. What
 * `@supabase/lite` 0.10 does differently from PostgREST is put right here.
 */
export async function connectDatabase(
  url: string,
  log: (line: string) => void,
): Promise<PostgresConnection> {
  const connection = createPostgresConnection({
    url,
    postgresOptions: {
      max: 20,
      onnotice: () => {},
      types: {
        // It hands over JSON arguments as text already; the driver would quote that once more.
        jsonb: { to: 3802, from: [3802], serialize: toJson, parse: JSON.parse },
        json: { to: 114, from: [114], serialize: toJson, parse: JSON.parse },
        // Points in time as Postgres writes them into JSON, which is what PostgREST sends.
        timestamptz: { to: 1184, from: [1184], serialize: asIs, parse: toIsoTime },
      },
    },
  });
  // Kysely takes connections by the one name, and @supabase/lite closes them by the other.
  const pool = new ConnectionPool(connection.driver.options);
  await pool.learnTypes();
  Object.assign(connection.driver, { reserve: () => pool.reserve(), end: () => pool.end() });
  connection.normalizeDbError = (error: unknown) => {
    if (error instanceof ConnectionLost) {
      return new AnsweredError(LOST, () => log(`[data-api] ${error.message}`));
    }
    if (!isDatabaseError(error)) return error;
    const line = `[data-api] ${error.code}: ${error.message}`;
    return new AnsweredError(withStatus(error), () => log(line));
  };
  // It would grant ALL on every table to anon and authenticated at the first request, which hides
  // a missing revoke. "active" is what it sets once it has done so.
  Reflect.set(connection, "rlsState", "active");
  return connection;
}

/** It prints every error that it answers, refusals included, at length: a line in the log is enough. */
const print = console.error;
console.error = (...data: unknown[]) => {
  const [first] = data;
  if (first instanceof AnsweredError) first.report();
  else print(...data);
};

function toJson(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function asIs(value: string): string {
  return value;
}

/** The session's time zone is UTC, so the offset is always `+00`. */
function toIsoTime(text: string): string {
  return text.replace(" ", "T").replace(/\+00$/, "+00:00");
}
