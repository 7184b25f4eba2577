import postgres from "postgres";
import type { CrashingDatabase } from "./crashing_database.ts";

/**
 * What a client is told that has lost its connection or finds none: by Postgres (PostgreSQL: error
 * codes, classes 08 and 57), by the driver, or by the system.
 */
const OUTAGE =
  /^(08...|57P0[123]|CONNECTION_(CLOSED|DESTROYED|ENDED)|ECONNREFUSED|ECONNRESET|EPIPE)$/;

interface Connection {
  readonly sql: postgres.Sql;
  /** Rejects when the connection is lost. */
  readonly lost: Promise<never>;
}

/** One connection that is opened anew whenever it is lost, as that of a function's caller is. */
export class LastingClient {
  readonly #database: CrashingDatabase;
  #connection: Connection | undefined;
  /** How often there was no answer. */
  outages = 0;

  constructor(database: CrashingDatabase) {
    this.#database = database;
  }

  /**
   * Asks, and again from the beginning as often as there is no answer. Rejects with what the
   * database raises.
   */
  async ask<Answer>(question: (sql: postgres.Sql) => Promise<Answer>): Promise<Answer> {
    for (;;) {
      this.#connection ??= open(this.#database.url);
      const { sql, lost } = this.#connection;
      try {
        return await Promise.race([question(sql), lost]);
      } catch (error) {
        if (!isOutage(error)) throw error;
        this.outages++;
        await this.close();
        await this.#database.up();
      }
    }
  }

  async close(): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    await connection?.sql.end({ timeout: 0 });
  }
}

/**
 * Opens a connection. The driver keeps what it has not yet written to one that breaks, and its
 * queries may then never end (postgres 3.4.9, `closed`): so each is used until it is lost.
 */
function open(url: string): Connection {
  const { promise: lost, reject } = Promise.withResolvers<never>();
  lost.catch(() => {});
  const sql = postgres(url, {
    max: 1,
    fetch_types: false,
    onnotice: () => {},
    onclose: () => reject(Object.assign(new Error("Lost"), { code: "CONNECTION_CLOSED" })),
  });
  return { sql, lost };
}

function isOutage(error: unknown): boolean {
  return error instanceof Error && "code" in error && typeof error.code === "string" &&
    OUTAGE.test(error.code);
}
