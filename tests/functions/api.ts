import assert from "node:assert/strict";
import { stackEnv } from "../stack.ts";
import type { Clients } from "./clients.ts";

/** What a function is called with. */
export interface Call {
  /** A session token. */
  token?: string;
  /** Sent as JSON. */
  body?: unknown;
  /** Sent as it stands, in place of `body`. */
  raw?: BodyInit;
  headers?: HeadersInit;
  /** POST unless given. */
  method?: string;
}

/** What a function answered. */
export interface Answer<Body = unknown> {
  readonly status: number;
  readonly headers: Headers;
  /** The parsed JSON; null without a body. */
  readonly body: Body;
}

/** Where the functions of a stack are. */
export function functionsOf({ env }: Pick<Clients, "env">): string {
  return `${env.SUPABASE_URL}/functions/v1`;
}

/**
 * Calls a function at `base`, which is the stack's gateway or a process of its own. Asserts that the
 * answer gives no secret away.
 */
export async function callFunction<Body = unknown>(
  base: string,
  name: string,
  { token, body, raw, headers, method = "POST" }: Call,
): Promise<Answer<Body>> {
  const sent = new Headers(headers);
  if (token !== undefined) sent.set("authorization", `Bearer ${token}`);
  if (body !== undefined) sent.set("content-type", "application/json");
  const response = await fetch(`${base}/${name}`, {
    method,
    headers: sent,
    body: body === undefined ? raw ?? null : JSON.stringify(body),
  });
  const text = await response.text();
  for (const secret of [...secrets(), token]) {
    assert(secret === undefined || !text.includes(secret), "The answer holds a secret");
  }
  return {
    status: response.status,
    headers: response.headers,
    body: (text === "" ? null : JSON.parse(text)) as Body,
  };
}

/** Who calls, and for which organization: ours. */
export interface Caller {
  readonly id: string;
  /** A session token. */
  readonly token: string;
}

/** Calls routes of a function below an organization, at the stack's gateway unless told. */
export function callsBelow(name: string) {
  return <Body = unknown>(
    clients: Clients,
    { id, token }: Caller,
    method: string,
    route: string,
    call: Omit<Call, "method" | "token"> = {},
    base = functionsOf(clients),
  ): Promise<Answer<Body>> =>
    callFunction<Body>(base, `${name}/${id}${route}`, { ...call, token, method });
}

function secrets(): string[] {
  const env = stackEnv();
  return [
    env.SUPABASE_SECRET_KEY,
    env.DATABASE_URL,
    env.STRIPE_SECRET_KEY,
    env.STRIPE_WEBHOOK_SECRET,
    env.CLERK_SECRET_KEY,
    env.CLERK_WEBHOOK_SIGNING_SECRET,
  ];
}

/** What every function answers when it refuses. */
export interface Refusal {
  readonly error: string;
  readonly code: string;
  readonly details: Readonly<Record<string, unknown>>;
  readonly requestId: string;
}

/** Asserts that an answer is a refusal in its full shape, and returns its details. */
export function assertRefused(
  { status, body }: Answer,
  expectedStatus: number,
  expectedCode: string,
): Refusal["details"] {
  const { error, code, details, requestId } = body as Refusal;
  assert.deepEqual({ status, code }, { status: expectedStatus, code: expectedCode });
  assert.match(error, /^[A-Z].*\.$/);
  assert.match(requestId, /^[0-9a-f-]{36}$/);
  assert.deepEqual(Object.keys(body as Refusal).sort(), ["code", "details", "error", "requestId"]);
  return details;
}
