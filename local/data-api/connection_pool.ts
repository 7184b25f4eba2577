import postgres from "postgres";
import { type ConnectionOptions, isLoss, openConnection } from "../postgres/connection.ts";

/** A query, or the way to the database, was lost: nobody knows what became of it. */
export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";
}

/**
 * What `@supabase/lite` 0.10 says at the beginning of each transaction, one thing after the other: it
 * reads none of the answers.
 */
const PREAMBLE = /^(begin$|set local role |select set_config\()/i;

/** Connections to a database, each of them thrown away once it is lost. */
export class ConnectionPool {
  readonly #options: ConnectionOptions;
  readonly #idle: Connection[] = [];
  readonly #open = new Set<Connection>();
  readonly #waiting: ((connection: Connection) => void)[] = [];

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  /** Learns the types of arrays, which all connections share. Rejects without a database. */
  async learnTypes(): Promise<void> {
    const sql = postgres({ ...this.#options, max: 1 } as unknown as postgres.Options<never>);
    await sql`select`;
    await sql.end();
  }

  /** Takes a connection for oneself; it opens with its first query. Waits while all are taken. */
  async reserve(): Promise<Connection> {
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    if (this.#open.size < this.#options.max) return this.#add();
    return await new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Ends every connection, once its queries have ended. */
  async end(): Promise<void> {
    await Promise.all([...this.#open].map((connection) => connection.end()));
  }

  #add(): Connection {
    const connection = new Connection(
      this.#options,
      () => this.#give(connection),
      () => this.#forget(connection),
    );
    this.#open.add(connection);
    return connection;
  }

  #give(connection: Connection): void {
    if (!this.#open.has(connection)) return;
    const next = this.#waiting.shift();
    if (next === undefined) this.#idle.push(connection);
    else next(connection);
  }

  #forget(connection: Connection): void {
    this.#open.delete(connection);
    const index = this.#idle.indexOf(connection);
    if (index >= 0) this.#idle.splice(index, 1);
    const next = this.#waiting.shift();
    if (next !== undefined) next(this.#add());
  }
}

/** One connection: a driver that has room for no other. */
class Connection {
  readonly #sql: postgres.Sql;
  /** How to end the queries that are under way. */
  readonly #pending = new Set<(error: Error) => void>();
  /** The preambles that have been sent, and whose answers nobody has looked at yet. */
  #ahead: Promise<unknown>[] = [];
  #isLost = false;
  readonly release: () => void;

  constructor(options: ConnectionOptions, release: () => void, forget: () => void) {
    this.release = release;
    this.#sql = openConnection(options, () => {
      this.#isLost = true;
      forget();
      for (const reject of this.#pending) reject(new ConnectionLost("The connection was closed"));
    });
  }

  /**
   * Sends a query. Rejects with what the database raises, or with `ConnectionLost`; after that one
   * each further query on this connection does.
   *
   * A preamble is not waited for, which would take a dozen round trips where PostgREST takes one: it
   * goes out with the query that it is for, and if it has failed, so has that query.
   */
  async unsafe(query: string, parameters: never[]): Promise<unknown> {
    const answer = this.#send(query, parameters);
    if (PREAMBLE.test(query)) {
      answer.catch(() => {});
      this.#ahead.push(answer);
      return [];
    }
    const answers = await Promise.allSettled([...this.#ahead.splice(0), answer]);
    for (const one of answers) if (one.status === "rejected") throw one.reason;
    return await answer;
  }

  async #send(query: string, parameters: never[]): Promise<unknown> {
    if (this.#isLost) throw new ConnectionLost("The connection was closed before");
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#pending.add(reject);
    // Prepared once for each connection, as PostgREST does it (db-prepared-statements).
    this.#sql.unsafe(query, parameters, { prepare: true }).then(
      resolve,
      (error: unknown) =>
        reject(isLoss(error) ? new ConnectionLost("Lost", { cause: error }) : error),
    );
    return await promise.finally(() => this.#pending.delete(reject));
  }

  async end(): Promise<void> {
    await this.#sql.end();
  }
}
