import { Buffer } from "node:buffer";
import { type IncomingMessage, request as send } from "node:http";

/** The function took longer than a function may. */
export class FunctionTimeout extends Error {}

/**
 * Sends a request on to `url` as it came, byte for byte, and answers what comes back, byte for
 * byte. It stands on node:http because `fetch` would unpack compressed answers and set headers of
 * its own.
 *
 * Rejects with FunctionTimeout after `timeoutMs`, with the network's error when the connection
 * breaks.
 */
export async function forward(request: Request, url: string, timeoutMs: number): Promise<Response> {
  const body = Buffer.from(await request.arrayBuffer());
  const target = new URL(url);
  const headers = forwardedHeaders(request, body.length);
  return await new Promise((resolve, reject) => {
    const outgoing = send(target, { method: request.method, headers, agent: false });
    const timer = setTimeout(() => outgoing.destroy(new FunctionTimeout()), timeoutMs);
    outgoing.on("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    outgoing.on("response", (incoming) => {
      toResponse(incoming).then(resolve, reject).finally(() => clearTimeout(timer));
    });
    outgoing.end(body);
  });
}

/** The caller's headers, and where the call came in, as a proxy says it. */
function forwardedHeaders(request: Request, length: number): Record<string, string> {
  const { host, hostname, port, pathname } = new URL(request.url);
  const headers: Record<string, string> = {
    ...Object.fromEntries(request.headers),
    "x-forwarded-for": request.headers.get("x-forwarded-for") ?? "127.0.0.1",
    "x-forwarded-host": hostname,
    "x-forwarded-port": port,
    "x-forwarded-proto": "http",
    "x-forwarded-path": pathname,
    host,
  };
  delete headers["transfer-encoding"];
  delete headers["connection"];
  if (length > 0 || "content-length" in headers) headers["content-length"] = `${length}`;
  return headers;
}

async function toResponse(incoming: IncomingMessage): Promise<Response> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  const headers = new Headers();
  for (const [name, values] of Object.entries(incoming.headersDistinct)) {
    if (name === "transfer-encoding" || name === "connection") continue;
    for (const value of values ?? []) headers.append(name, value);
  }
  const status = incoming.statusCode ?? 502;
  const bodyless = status === 204 || status === 205 || status === 304;
  return new Response(bodyless ? null : Buffer.concat(chunks), { status, headers });
}
