import assert from "node:assert/strict";
import postgres from "postgres";
import { stackEnv } from "../stack.ts";

/** Something to send statements through: a connection, or the transaction that is open on it. */
export type Sql = postgres.ISql;

/** A transaction that ends with a rollback. */
export type Transaction = postgres.TransactionSql;

/** Connections of a test, all of them open. */
export type Connections = [postgres.Sql, ...postgres.Sql[]];

/** What Postgres refuses with: the SQLSTATE, the stable code, the sentence, the details. */
export interface Refusal {
  readonly sqlstate: string;
  readonly code: string;
  readonly sentence: string | undefined;
  readonly details: unknown;
}

/** A statement that waits for longer ends with an error: a broken lock must not hang the run. */
const STATEMENT_TIMEOUT_MS = 30_000;

/** Opens that many connections of their own, runs with them, and closes them. */
export async function withConnections(
  count: number,
  run: (connections: Connections) => Promise<void>,
): Promise<void> {
  const connections: Connections = [
    connect(),
    ...Array.from({ length: count - 1 }, connect),
  ];
  try {
    await Promise.all(connections.map((sql) => sql`select`));
    await run(connections);
  } finally {
    await Promise.all(connections.map((sql) => sql.end()));
  }
}

function connect(): postgres.Sql {
  return postgres(stackEnv().DATABASE_URL, {
    max: 1,
    fetch_types: false,
    onnotice: () => {},
    connection: { statement_timeout: STATEMENT_TIMEOUT_MS },
  });
}

/** Runs in one transaction that nobody else sees: it is rolled back at the end. */
export function withTransaction(run: (sql: Transaction) => Promise<void>): Promise<void> {
  return withConnections(1, ([sql]) => rolledBack(sql, run));
}

/** The same on a connection that is open already. */
export async function rolledBack<Result>(
  sql: postgres.Sql,
  run: (sql: Transaction) => Promise<Result>,
): Promise<Result> {
  const ending = new RollBack<Result>();
  try {
    await sql.begin(async (transaction) => {
      ending.result = { value: await run(transaction) };
      throw ending;
    });
  } catch (error) {
    if (error !== ending) throw error;
  }
  assert(ending.result !== undefined);
  return ending.result.value;
}

/** Ends a transaction without keeping anything, and carries the result out of it. */
class RollBack<Result> extends Error {
  result: { value: Result } | undefined;
}

/** How Postgres refuses what is tried, in a transaction that goes on after it. */
export function refusalIn(
  sql: Transaction,
  attempt: (sql: Transaction) => Promise<unknown>,
): Promise<Refusal> {
  return refusalOf(sql.savepoint(attempt));
}

/** How Postgres refuses what is being tried. Fails when it is not refused. */
export async function refusalOf(attempt: Promise<unknown>): Promise<Refusal> {
  try {
    await attempt;
  } catch (error) {
    return asRefusal(error);
  }
  assert.fail("It was not refused");
}

/** An error of Postgres's as a refusal; any other is thrown on. */
export function asRefusal(error: unknown): Refusal {
  if (!(error instanceof postgres.PostgresError)) throw error;
  return {
    sqlstate: error.code,
    code: error.message,
    sentence: error.hint,
    details: error.code.startsWith("PT") && error.detail !== undefined
      ? JSON.parse(error.detail)
      : error.detail,
  };
}

/** The one row of an answer. */
export function only<Row>(rows: readonly Row[]): Row {
  const [row] = rows;
  assert(row !== undefined && rows.length === 1, `There are ${rows.length} rows instead of one`);
  return row;
}
