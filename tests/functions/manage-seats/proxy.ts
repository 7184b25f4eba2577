/** What the proxy does with a request: the work and its answer, or less. */
export type Verdict =
  | "pass"
  /** The server is down: the connection closes without the work. */
  | "drop"
  /** The work is done, and its answer is lost. */
  | "lose_answer"
  /** The request waits without being worked on, until the proxy is closed. */
  | "hold"
  /** The work is done, and its answer waits until the proxy is closed. */
  | "hold_answer";

/** What becomes of a request, by its method and the last part of its path. */
export type Judge = (name: string, method: string) => Verdict;

/** A way to the Data API, or to Stripe, on which requests get lost. */
export interface Proxy {
  readonly url: string;
  verdictOf: Judge;
  /** Resolves once a request is being held. */
  readonly holding: Promise<void>;
}

/** Runs with a proxy in front of a server. */
export async function withProxy(
  target: string,
  verdictOf: Judge,
  run: (proxy: Proxy) => Promise<void>,
): Promise<void> {
  const holding = Promise.withResolvers<void>();
  const closing = Promise.withResolvers<void>();
  const handle = async (request: Request): Promise<Response> => {
    const { pathname, search } = new URL(request.url);
    const name = pathname.split("/").at(-1) ?? "";
    const verdict = proxy.verdictOf(name, request.method);
    const body = await request.arrayBuffer();
    if (verdict === "hold") return await held();
    if (verdict === "drop") return broken();
    const response = await fetch(target + pathname + search, {
      method: request.method,
      headers: request.headers,
      body: body.byteLength === 0 ? null : body,
    });
    const read = await response.arrayBuffer();
    const answer = new Response(read.byteLength === 0 ? null : read, {
      status: response.status,
      headers: response.headers,
    });
    if (verdict === "lose_answer") return broken();
    return verdict === "hold_answer" ? await held() : answer;
  };
  const held = async () => {
    holding.resolve();
    await closing.promise;
    // Nobody is left to read it.
    return new Response(null, { status: 502 });
  };
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, handle);
  const url = `http://127.0.0.1:${server.addr.port}`;
  const proxy: Proxy = { url, verdictOf, holding: holding.promise };
  try {
    await run(proxy);
  } finally {
    closing.resolve();
    await server.shutdown();
  }
}

/** An answer that breaks off, as that of a server that goes down. */
function broken(): Response {
  return new Response(
    new ReadableStream({ start: (controller) => controller.error(new Error("gone")) }),
    { headers: { "content-type": "application/json" } },
  );
}

/** What Sentry is told: an event as it arrives. */
export interface SentryEvent {
  readonly level: string;
  readonly message: string;
  readonly extra: Readonly<Record<string, unknown>>;
}

/** Runs with a Sentry of the test's own. */
export async function withSentry(
  run: (sentry: { readonly dsn: string; readonly events: readonly SentryEvent[] }) => Promise<void>,
): Promise<void> {
  const events: SentryEvent[] = [];
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      // An envelope: lines of JSON, a header before each item (Sentry: envelopes).
      const lines = (await request.text()).split("\n").filter((line) => line !== "");
      for (const [index, line] of lines.entries()) {
        const header = JSON.parse(line);
        if (header.type === "event") events.push(JSON.parse(lines[index + 1] ?? ""));
      }
      return Response.json({});
    },
  );
  try {
    await run({ dsn: `http://public@127.0.0.1:${server.addr.port}/1`, events });
  } finally {
    await server.shutdown();
  }
}
