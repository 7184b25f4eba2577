import assert from "node:assert/strict";
import { Webhook } from "svix";
import { type Answer, callFunction, functionsOf } from "../api.ts";
import type { Clients } from "../clients.ts";

/** What `clerk-webhook` answers to an event that it has taken in. */
export interface Taken {
  readonly received: true;
  readonly outcome: string;
}

/** How a message is signed; a new one by Clerk now, unless told otherwise. */
export interface Signing {
  /** The message's id, which stays the same over retries. */
  id?: string;
  secret?: string;
  at?: Date;
}

/** Svix's three headers. */
export interface SvixHeaders {
  "svix-id": string;
  "svix-timestamp": string;
  "svix-signature": string;
}

/** The id of a message that nobody has sent yet. */
export function newMessageId(): string {
  return `msg_${crypto.randomUUID().replaceAll("-", "")}`;
}

/** Signs a payload with Svix's own library. */
export function headersOf(
  { env }: Clients,
  payload: string,
  { id = newMessageId(), secret = env.CLERK_WEBHOOK_SIGNING_SECRET, at = new Date() }: Signing = {},
): SvixHeaders {
  return {
    "svix-id": id,
    "svix-timestamp": String(Math.floor(at.getTime() / 1000)),
    "svix-signature": new Webhook(secret).sign(id, at, payload),
  };
}

/** Delivers a payload with these headers, to the stack's function unless told otherwise. */
export function deliver(
  clients: Clients,
  payload: BodyInit,
  headers: HeadersInit,
  base: string = functionsOf(clients),
): Promise<Answer<Taken>> {
  return callFunction<Taken>(base, "clerk-webhook", { raw: payload, headers });
}

/** Delivers an event as Clerk does through Svix, and returns the answer. */
export function deliverSigned(
  clients: Clients,
  event: object | string,
  signing: Signing = {},
  base?: string,
): Promise<Answer<Taken>> {
  const payload = typeof event === "string" ? event : JSON.stringify(event);
  return deliver(clients, payload, { ...headersOf(clients, payload, signing) }, base);
}

/** Delivers an event, asserts that it was taken in, and says how. */
export async function outcomeOf(
  clients: Clients,
  event: object | string,
  signing: Signing = {},
): Promise<string> {
  const { status, body } = await deliverSigned(clients, event, signing);
  assert.equal(status, 200, JSON.stringify(body));
  assert.equal(body.received, true);
  return body.outcome;
}
