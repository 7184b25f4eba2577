import { Buffer } from "node:buffer";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";

/** Where a server listens, and how to end it. */
export interface Listener {
  /** `http://127.0.0.1:<port>`, without a trailing slash. */
  url: string;
  port: number;
  /** Stops listening and closes every open connection. */
  close(): Promise<void>;
}

/** A web handler, as `app.fetch` of a Hono application is one. */
export type WebHandler = (request: Request) => Response | Promise<Response>;

const DROP_HEADER = "x-emulation-drop";

/** A response that `listen` never sends: it closes the connection instead. */
export function dropConnection(): Response {
  return new Response(null, { headers: { [DROP_HEADER]: "1" } });
}

/**
 * Serves a web handler at 127.0.0.1, on `port` if it is free, otherwise (or without a port) on any
 * free one. Rejects when no port can be had.
 *
 * It stands on node:http because `Deno.serve` has no way to close a connection without an answer,
 * which is what a client sees when a network fails.
 */
export async function listen(handler: WebHandler, port = 0): Promise<Listener> {
  const server = createServer((incoming, outgoing) => {
    answer(handler, incoming, outgoing).catch((error: unknown) => {
      console.error(`${incoming.method} ${incoming.url} failed:`, error);
      incoming.socket.destroy();
    });
  });
  const bound = await bind(server, port).catch((error: unknown) => {
    if (port !== 0 && isAddressInUse(error)) return bind(server, 0);
    throw error;
  });
  return {
    url: `http://127.0.0.1:${bound}`,
    port: bound,
    close: () =>
      new Promise((resolve, reject) => {
        server.close((error) => error ? reject(error) : resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  handler: WebHandler,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const response = await handler(await toRequest(incoming));
  if (response.headers.has(DROP_HEADER)) {
    incoming.socket.destroy();
    return;
  }
  const body = Buffer.from(await response.arrayBuffer());
  // Deno's fetch silently sends a request again when a connection that it has used before breaks.
  // On fresh connections only, a client sees every drop and does the work of a lost answer once.
  outgoing.shouldKeepAlive = false;
  const headers = new Headers(response.headers);
  if (body.length > 0) headers.set("content-length", `${body.length}`);
  outgoing.writeHead(response.status, [...headers].flat());
  outgoing.end(body);
}

async function toRequest(incoming: IncomingMessage): Promise<Request> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  const headers = new Headers();
  for (const [name, value] of Object.entries(incoming.headersDistinct)) {
    for (const one of value ?? []) headers.append(name, one);
  }
  const url = `http://${incoming.headers.host ?? "127.0.0.1"}${incoming.url ?? "/"}`;
  const method = incoming.method ?? "GET";
  const hasBody = method !== "GET" && method !== "HEAD" && chunks.length > 0;
  return new Request(url, { method, headers, body: hasBody ? Buffer.concat(chunks) : null });
}

function bind(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      server.off("error", reject);
      const address = server.address();
      if (address === null || typeof address === "string") {
        reject(new Error(`The server has no port: ${address}`));
      } else {
        resolve(address.port);
      }
    });
  });
}

function isAddressInUse(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EADDRINUSE";
}
