import postgres from "postgres";
import { type ConnectionOptions, isLoss, openConnection } from "../../local/postgres/connection.ts";
import type { CrashingDatabase } from "./crashing_database.ts";

/** What Postgres says when it ends a connection or takes none (PostgreSQL: error codes). */
const OUTAGE = /^(08...|57P0[123])$/;

interface Connection {
  readonly sql: postgres.Sql;
  /** Rejects when the connection is lost. */
  readonly lost: Promise<never>;
}

/** One connection that is opened anew whenever it is lost, as that of a function's caller is. */
export class LastingClient {
  readonly #database: CrashingDatabase;
  readonly #template: ConnectionOptions;
  #connection: Connection | undefined;
  /** How often there was no answer. */
  outages = 0;

  constructor(database: CrashingDatabase) {
    this.#database = database;
    this.#template = postgres(database.url, { onnotice: () => {} }).options;
  }

  /**
   * Asks, and again from the beginning as often as there is no answer. Rejects with what the
   * database raises.
   */
  async ask<Answer>(question: (sql: postgres.Sql) => Promise<Answer>): Promise<Answer> {
    for (;;) {
      this.#connection ??= open(this.#template);
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

function open(template: ConnectionOptions): Connection {
  const { promise: lost, reject } = Promise.withResolvers<never>();
  lost.catch(() => {});
  const gone = () => reject(Object.assign(new Error("Lost"), { code: "CONNECTION_CLOSED" }));
  return { sql: openConnection(template, gone), lost };
}

/** Whether there was no answer: the connection was lost, or Postgres has said so. */
function isOutage(error: unknown): boolean {
  return isLoss(error) || error instanceof postgres.PostgresError && OUTAGE.test(error.code);
}
