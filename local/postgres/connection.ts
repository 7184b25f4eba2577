import { Socket } from "node:net";
import postgres from "postgres";

/** What the driver makes of its options, and takes in their place. */
export type ConnectionOptions = postgres.Sql["options"];

/**
 * What the driver, the system and Postgres call it when a connection is lost, or there is none to be
 * had: 57P01 to 57P03 while it shuts down, has crashed, or starts (PostgreSQL: error codes).
 */
const LOST =
  /^(CONNECTION_(CLOSED|DESTROYED|ENDED)|CONNECT_TIMEOUT|ECONNREFUSED|ECONNRESET|EPIPE|57P0[123])$/;

/**
 * Opens one connection, with its first query, and never another one in its place. The driver takes a
 * connection that breaks up again together with what was left unwritten, so that queries never end
 * or throw where nobody can catch it (postgres 3.4.9: `closed`, `nextWrite`). Whoever uses this one
 * takes its queries for lost with it.
 *
 * @param template the options of a driver that is not used.
 * @param lost called once, when the connection is closed for whatever reason.
 */
export function openConnection(template: ConnectionOptions, lost: () => void): postgres.Sql {
  const { host: [host = "127.0.0.1"], port: [port = 5432] } = template;
  let isFresh = true;
  const socket = () => {
    if (!isFresh) throw Object.assign(new Error("Lost"), { code: "CONNECTION_CLOSED" });
    isFresh = false;
    const socket = new PatientSocket();
    socket.once("close", lost);
    return socket.connect(port, host);
  };
  // The driver looks the array types up where nobody can catch it when that fails, and a connection
  // whose life ends by itself could end within a transaction.
  const own = { ...template, max: 1, max_lifetime: null, fetch_types: false, socket };
  return postgres(own as unknown as postgres.Options<Record<string, postgres.PostgresType>>);
}

/** Whether something thrown means that a connection was lost, or that there was none to be had. */
export function isLoss(error: unknown): boolean {
  return error instanceof Error && "code" in error && typeof error.code === "string" &&
    LOST.test(error.code);
}

/** A socket of which the driver may let go before its last error has come. */
class PatientSocket extends Socket {
  override removeAllListeners(event?: string): this {
    super.removeAllListeners(event);
    this.on("error", () => {});
    return this;
  }
}
