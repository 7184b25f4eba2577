import assert from "node:assert/strict";
import type { Delivery } from "../../../local/emulation/delivery_records.ts";
import { type Answer, callFunction, functionsOf } from "../api.ts";
import type { Clients } from "../clients.ts";

/** What `stripe-webhook` answers to an event that it has taken in. */
export interface Taken {
  readonly received: true;
  readonly outcome: string;
  readonly reason?: string;
}

/** How a delivery is signed; as Stripe does now, unless told otherwise. */
export interface Signing {
  secret?: string;
  /** Seconds since 1970. */
  timestamp?: number;
}

/** The `Stripe-Signature` of a payload, by the official SDK. */
export function signatureOf(
  { stripe, env }: Clients,
  payload: string,
  { secret = env.STRIPE_WEBHOOK_SECRET, timestamp }: Signing = {},
): Promise<string> {
  return stripe.webhooks.generateTestHeaderStringAsync({
    payload,
    secret,
    ...(timestamp === undefined ? {} : { timestamp }),
  });
}

/** Delivers a payload with these headers, to the stack's function unless told otherwise. */
export function deliver(
  clients: Clients,
  payload: BodyInit,
  headers: HeadersInit,
  base: string = functionsOf(clients),
): Promise<Answer<Taken>> {
  return callFunction<Taken>(base, "stripe-webhook", { raw: payload, headers });
}

/** Delivers an event as Stripe does, and returns the answer. */
export async function deliverSigned(
  clients: Clients,
  event: object | string,
  signing: Signing = {},
  base?: string,
): Promise<Answer<Taken>> {
  const payload = typeof event === "string" ? event : JSON.stringify(event);
  const signature = await signatureOf(clients, payload, signing);
  return await deliver(clients, payload, { "stripe-signature": signature }, base);
}

/** Delivers an event, asserts that it was taken in, and says how. */
export async function outcomeOf(clients: Clients, event: object | string): Promise<string> {
  const { status, body } = await deliverSigned(clients, event);
  assert.equal(status, 200, JSON.stringify(body));
  return body.reason ?? body.outcome;
}

/** Runs while Stripe's events that name `contains` are held back, and returns those. */
export async function holdingEvents(
  { stripeControl }: Clients,
  contains: string,
  run: () => Promise<unknown>,
): Promise<Delivery[]> {
  const policy = await stripeControl.addPolicy({ contains, kind: "hold", times: 0 });
  try {
    await run();
  } finally {
    await stripeControl.removePolicy(policy);
  }
  return await stripeControl.deliveries({ contains, status: "held" });
}

/** Runs while Stripe's events that name `contains` are lost. */
export async function losingEvents<Result>(
  { stripeControl }: Clients,
  contains: string,
  run: () => Promise<Result>,
): Promise<Result> {
  const policy = await stripeControl.addPolicy({ contains, kind: "drop", times: 0 });
  try {
    return await run();
  } finally {
    await stripeControl.removePolicy(policy);
  }
}
