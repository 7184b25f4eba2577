import assert from "node:assert/strict";
import { callFunction, functionsOf } from "../api.ts";
import type { Clients } from "../clients.ts";
import { laterInvoices, seatsOf, type Subscriber, subscriptionOf } from "./seats.ts";

/** What Stripe and Postgres agree on. */
export interface Agreement {
  readonly purchased: number;
  readonly renewal: number;
  /** How many invoices there are after the first one. */
  readonly invoices: number;
  /** What is paid for now; pro unless given. */
  readonly plan?: string;
  /** What Stripe will bill; that of the plan, monthly, unless given. */
  readonly lookupKey?: string;
}

/** Asserts that Stripe and Postgres agree, on this, and that nothing was charged twice. */
export async function assertAgreement(
  clients: Clients,
  subscriber: Subscriber,
  { purchased, renewal, invoices, plan = "pro", lookupKey = `seatkeeper_${plan}_monthly` }:
    Agreement,
): Promise<void> {
  assert.deepEqual(await seatsOf(clients, subscriber), { plan, purchased, renewal });
  const atStripe = await subscriptionOf(clients, subscriber);
  assert.deepEqual([atStripe.quantity, atStripe.lookupKey], [renewal, lookupKey]);
  assert.equal((await laterInvoices(clients, subscriber)).length, invoices);
}

/** One sweep of an organization; resolves to the kinds of what had drifted. */
export async function sweep(
  clients: Clients,
  { id, token }: Pick<Subscriber, "id" | "token">,
): Promise<string[]> {
  const { status, body } = await callFunction<{ data: { drift: { kind: string }[] } }>(
    functionsOf(clients),
    "sync-seats",
    { token, body: { organizationId: id } },
  );
  assert.equal(status, 200, JSON.stringify(body));
  return body.data.drift.map(({ kind }) => kind);
}

/** Loses all webhooks about a subscription from now on. */
export async function loseWebhooks(
  { stripeControl }: Clients,
  { subscriptionId }: Pick<Subscriber, "subscriptionId">,
): Promise<void> {
  await stripeControl.addPolicy({ contains: subscriptionId, kind: "drop", times: 0 });
}
