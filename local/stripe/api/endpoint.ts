import type { Hono } from "hono";
import type { z } from "zod";
import { type Account, accountFor, type AccountParts } from "../account.ts";
import { type ApiAnswer, type ApiEnv, respond } from "./envelope.ts";
import { errorAnswer, StripeFailure } from "./errors.ts";
import { withExpansions } from "./expand.ts";
import { decodeForm } from "./form.ts";
import { parseParams } from "./params.ts";
import { inFrameOf } from "../test_clocks/frame.ts";

type Schema = z.ZodType<{ expand: string[] }>;

/** One call of an endpoint. */
export interface Call<P> {
  account: Account;
  params: P;
  /** The id in the address; empty where the address has none. */
  id: string;
}

/**
 * What an endpoint does. It can't wait for anything: between its check and its write no other
 * request gets a turn, so any number of them may come at once.
 */
export type Work<P> = (call: Call<P>) => object;

/** Puts endpoints on the emulated API. */
export class Api {
  readonly #parts: AccountParts;
  readonly #changed: () => void;

  /** `changed` is called after every call that may have changed the account. */
  constructor(readonly app: Hono<ApiEnv>, parts: AccountParts, changed: () => void) {
    this.#parts = parts;
    this.#changed = changed;
  }

  /** Reads an object or a list. */
  get<S extends Schema>(path: string, schema: S, work: Work<z.output<S>>): void {
    this.#on("GET", path, schema, work);
  }

  /** Creates or changes something. */
  post<S extends Schema>(path: string, schema: S, work: Work<z.output<S>>): void {
    this.#on("POST", path, schema, work);
  }

  /** Deletes or ends something. */
  delete<S extends Schema>(path: string, schema: S, work: Work<z.output<S>>): void {
    this.#on("DELETE", path, schema, work);
  }

  #on<S extends Schema>(method: string, path: string, schema: S, work: Work<z.output<S>>): void {
    this.app.on(method, path, (c) => {
      const requestId = c.get("requestId");
      const idempotencyKey = c.req.header("idempotency-key") ?? null;
      const id = c.req.param("id") ?? "";
      const account = accountFor(this.#parts, { id: requestId, idempotencyKey });
      const answer = answerOf(requestId, () => {
        const params = parseParams(schema, decodeForm(c.get("form")));
        const frame = inFrameOf(account, id, ...subjectsOf(params));
        const object = work({ account: livesInRealTime(path) ? account : frame, params, id });
        return withExpansions(account.state, object, params.expand);
      });
      c.set("answer", answer);
      if (method !== "GET") this.#changed();
      return respond(answer.status, answer.body);
    });
  }
}

/** Checkout's sessions live in real time; what their customers buy there does not. */
function livesInRealTime(path: string): boolean {
  return path.startsWith("/v1/checkout/");
}

function subjectsOf(params: Record<string, unknown>): unknown[] {
  return ["customer", "subscription", "test_clock"].map((name) => params[name]);
}

function answerOf(requestId: string, work: () => object): ApiAnswer {
  try {
    return { status: 200, body: JSON.stringify(work(), null, 2), saved: true };
  } catch (error) {
    if (!(error instanceof StripeFailure)) console.error("The Stripe emulator failed:", error);
    const { status, body, saved } = error instanceof StripeFailure
      ? error
      : new StripeFailure(500, { type: "api_error", message: `The emulator failed: ${error}` });
    return { status, body: JSON.stringify(errorAnswer(body, requestId), null, 2), saved };
  }
}
