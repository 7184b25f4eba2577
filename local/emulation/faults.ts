import { Hono, type MiddlewareHandler } from "hono";
import { z } from "zod";
import { dropConnection } from "./listener.ts";

const faultInput = z.strictObject({
  match: z.strictObject({
    /** HTTP method, in any case. */
    method: z.string().optional(),
    /** Source of a regular expression that is tested on the pathname. */
    path: z.string().optional(),
    /** Text that the URL or the request body must contain, as it was sent (encoded). */
    contains: z.string().optional(),
  }),
  kind: z.enum(["delay", "fail", "drop", "lose_answer"]),
  /** How many requests it strikes; 0 means until it is removed. */
  times: z.int().min(0).default(1),
  delayMs: z.number().min(0).default(0),
  status: z.int().min(200).max(599).default(500),
  /** Answered by `fail`: text as it stands, anything else as JSON. */
  body: z.unknown().optional(),
  headers: z.record(z.string(), z.string()).default({}),
});

/** What `POST /_emulator/faults` takes. */
export type FaultInput = z.input<typeof faultInput>;

/** A fault as the control routes list it. */
export type Fault = z.output<typeof faultInput> & { id: string; hits: number };

/**
 * Ways to make an emulator misbehave, one request at a time. The first fault that matches a request
 * and is not used up strikes:
 *
 * - `delay` waits `delayMs`, or until the fault is removed, then works.
 * - `fail` answers `status`, `body` and `headers` without doing the work.
 * - `drop` closes the connection without doing the work.
 * - `lose_answer` does the work, then closes the connection.
 *
 * Faults live in memory only: a restart clears them. Requests under `/_emulator` are never struck.
 */
export class Faults {
  readonly #faults = new Map<string, Fault>();
  /** Aborted when the fault is removed. */
  readonly #removals = new Map<string, AbortController>();

  /** Adds a fault. Throws a `ZodError` or a `SyntaxError` (a bad `path`) for wrong input. */
  add(input: FaultInput): Fault {
    const fault = { ...faultInput.parse(input), id: `fault_${crypto.randomUUID()}`, hits: 0 };
    if (fault.match.path !== undefined) new RegExp(fault.match.path);
    this.#faults.set(fault.id, fault);
    this.#removals.set(fault.id, new AbortController());
    return fault;
  }

  /** Removes a fault, which ends what it delays; says whether it was there. */
  remove(id: string): boolean {
    this.#removals.get(id)?.abort();
    this.#removals.delete(id);
    return this.#faults.delete(id);
  }

  /** To be used before every route of the emulated API. */
  middleware(): MiddlewareHandler {
    return async (context, next) => {
      const fault = await this.#strike(context.req.raw);
      if (fault === undefined) return await next();
      switch (fault.kind) {
        case "delay":
          await this.#delay(fault);
          return await next();
        case "fail":
          return failure(fault);
        case "drop":
          return dropConnection();
        case "lose_answer":
          await next();
          context.res = undefined;
          context.res = dropConnection();
          return;
      }
    };
  }

  /** Control routes, to be mounted at `/_emulator/faults`. */
  routes(): Hono {
    const app = new Hono();
    app.post("/", async (c) => {
      try {
        return c.json({ id: this.add(await c.req.json()).id });
      } catch (error) {
        return c.json({ error: String(error) }, 400);
      }
    });
    app.get("/", (c) => c.json([...this.#faults.values()]));
    app.delete("/", (c) => {
      for (const id of [...this.#faults.keys()]) this.remove(id);
      return c.body(null, 204);
    });
    app.delete("/:id", (c) => c.body(null, this.remove(c.req.param("id")) ? 204 : 404));
    return app;
  }

  async #delay({ id, delayMs }: Fault): Promise<void> {
    const removed = this.#removals.get(id)?.signal;
    if (removed === undefined) return;
    const end = Promise.withResolvers<void>();
    const timer = setTimeout(end.resolve, delayMs);
    removed.addEventListener("abort", () => end.resolve(), { once: true });
    await end.promise;
    clearTimeout(timer);
  }

  async #strike(request: Request): Promise<Fault | undefined> {
    if (this.#faults.size === 0) return undefined;
    const { pathname } = new URL(request.url);
    if (pathname.startsWith("/_emulator")) return undefined;
    // Read before looking for a fault: nothing may happen between finding one and counting it.
    const text = `${request.url}\n${await request.clone().text()}`;
    for (const fault of this.#faults.values()) {
      if (fault.times !== 0 && fault.hits >= fault.times) continue;
      const { method, path, contains } = fault.match;
      if (method !== undefined && method.toUpperCase() !== request.method) continue;
      if (path !== undefined && !new RegExp(path).test(pathname)) continue;
      if (contains !== undefined && !text.includes(contains)) continue;
      fault.hits += 1;
      return fault;
    }
    return undefined;
  }
}

function failure(fault: Fault): Response {
  const { status, body } = fault;
  if (body === undefined) return new Response(null, { status, headers: fault.headers });
  if (typeof body === "string") return new Response(body, { status, headers: fault.headers });
  return Response.json(body, { status, headers: fault.headers });
}
