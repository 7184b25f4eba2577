import { only, type Sql } from "./connection.ts";

/** Something that a connection has been told to do, and has not done yet. */
export interface Attempt<Result> {
  readonly backend: number;
  readonly outcome: Promise<PromiseSettledResult<Result>>;
  settled: boolean;
}

/** Starts something on a connection and goes on without waiting for its end. */
export async function attempt<Connection extends Sql, Result>(
  sql: Connection,
  run: (sql: Connection) => Promise<Result>,
): Promise<Attempt<Result>> {
  const { backend } = only(
    await sql<{ backend: number }[]>`select pg_backend_pid() as backend`,
  );
  const started = run(sql);
  const attempt: Attempt<Result> = {
    backend,
    outcome: Promise.allSettled([started]).then(([outcome]) => outcome),
    settled: false,
  };
  attempt.outcome.then(() => attempt.settled = true);
  return attempt;
}

/** Resolves once each of these has ended or waits for a lock that somebody else holds. */
export async function untilWaiting(
  sql: Sql,
  attempts: readonly Attempt<unknown>[],
): Promise<void> {
  for (;;) {
    const waiting = await sql<{ backend: number }[]>`
      select pid as backend from pg_catalog.pg_stat_activity where wait_event_type = 'Lock'`;
    const backends = new Set(waiting.map(({ backend }) => backend));
    if (attempts.every(({ backend, settled }) => settled || backends.has(backend))) return;
  }
}
