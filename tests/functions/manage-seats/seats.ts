import assert from "node:assert/strict";
import type Stripe from "stripe";
import { type Answer, type Caller, callsBelow, functionsOf } from "../api.ts";
import { buySeats, type Purchase, type Wish as Bought } from "../checkout.ts";
import type { Clients } from "../clients.ts";
import { createOrganization, type Organization, settled } from "../organizations.ts";
import { only } from "../rows.ts";

/** An organization that has paid for seats. */
export interface Subscriber extends Organization, Purchase {}

/** Creates an organization and buys its first seats: 5 of plan pro, monthly, unless told. */
export async function createSubscriber(clients: Clients, bought: Bought = {}): Promise<Subscriber> {
  const organization = await createOrganization(clients);
  return { ...organization, ...await buySeats(clients, organization, bought) };
}

/** Calls a route of manage-seats. */
export const callSeats = callsBelow("manage-seats");

/** A page of rows. */
export interface Page<Row> {
  readonly data: readonly Row[];
  readonly nextCursor: number | null;
}

/** Reads how an organization stands. */
export async function summaryOf<Summary>(
  clients: Clients,
  caller: Caller,
  query = "",
): Promise<Summary> {
  const { status, body } = await callSeats<Summary>(clients, caller, "GET", query);
  assert.equal(status, 200, JSON.stringify(body));
  return body;
}

/** What `change` and `scheduled-change` answer. */
export interface Change {
  readonly seatChangeId: string;
  readonly state: string;
  readonly kind: string;
  readonly seats: number;
  readonly plan: string;
  readonly billingPeriod: string;
  readonly effectiveAt: string | null;
  readonly paymentUrl: string | null;
  readonly error: string | null;
}

/** What somebody wants changed; right or wrong. */
export type Wish = Readonly<Record<string, unknown>>;

/** One click on "change", whatever comes of it. */
export function clickChange(
  clients: Clients,
  caller: Caller,
  wish: Wish,
  key: string = crypto.randomUUID(),
  base = functionsOf(clients),
): Promise<Answer<Change>> {
  const call = { body: wish, headers: { "idempotency-key": key } };
  return callSeats<Change>(clients, caller, "POST", "/change", call, base);
}

/** A change that succeeds; the webhooks are settled. */
export async function change(
  clients: Clients,
  subscriber: Subscriber,
  wish: Wish,
): Promise<Change> {
  const answer = await clickChange(clients, subscriber, wish);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  await settled(clients, subscriber.subscriptionId);
  return answer.body;
}

/** What `preview` answers when the change would be made. */
export interface Preview {
  readonly outcome: "now" | "renewal" | "refused";
  readonly before: Wish;
  readonly after: Wish;
  readonly dueToday: number;
  readonly prorationDate: string | null;
  readonly effectiveAt: string;
  /** Null where the subscription ends before one. */
  readonly nextInvoice: { readonly date: string; readonly amount: number } | null;
  readonly currency: string;
  /** Of a refusal. */
  readonly code?: string;
  readonly details?: Wish;
}

/** Looks at what a change would cost. */
export async function preview(
  clients: Clients,
  caller: Caller,
  wish: Wish,
  base = functionsOf(clients),
): Promise<Preview> {
  const { status, body } = await callSeats<Preview>(
    clients,
    caller,
    "POST",
    "/preview",
    { body: wish },
    base,
  );
  assert.equal(status, 200, JSON.stringify(body));
  return body;
}

/** What is paid for, as Postgres has it. Asserts that the limit follows it. */
export async function seatsOf(
  { sql }: Clients,
  { id }: { readonly id: string },
): Promise<{ plan: string; purchased: number; renewal: number }> {
  const { limit, ...seats } = only(
    await sql<{ plan: string; purchased: number; renewal: number; limit: number }[]>`
      select s.plan, s.purchased_seats as purchased, s.renewal_seats as renewal,
        o.seat_limit as limit
      from public.organization_subscriptions as s
      join public.organizations as o on o.id = s.organization_id
      where o.id = ${id}`,
  );
  assert.equal(limit, seats.purchased);
  return seats;
}

/** The changes of an organization after its purchase, oldest first. */
export async function changesOf(
  { sql }: Clients,
  { id }: { readonly id: string },
): Promise<readonly { state: string; kind: string; seats: number }[]> {
  const rows = await sql<{ state: string; kind: string; seats: number }[]>`
    select state, kind, seats from public.seat_changes
    where organization_id = ${id} and kind <> 'checkout' order by created_at`;
  return rows.map((row) => ({ ...row }));
}

/** The subscription as Stripe has it now. */
export async function subscriptionOf(
  { stripe }: Clients,
  { subscriptionId }: Pick<Purchase, "subscriptionId">,
): Promise<{ subscription: Stripe.Subscription; quantity: number; lookupKey: string | null }> {
  const subscription = await stripe.subscriptions.retrieve(subscriptionId, {
    expand: ["latest_invoice"],
  });
  const [item] = subscription.items.data;
  assert(item?.quantity !== undefined);
  return { subscription, quantity: item.quantity, lookupKey: item.price.lookup_key };
}

/** When the current period of a subscription ends, ISO. */
export async function periodEnd(clients: Clients, purchase: Purchase): Promise<string> {
  const { subscription } = await subscriptionOf(clients, purchase);
  return new Date((subscription.items.data[0]?.current_period_end ?? 0) * 1000).toISOString();
}

/** The invoices of a subscription after its first, oldest first. */
export async function laterInvoices(
  { stripe }: Clients,
  { subscriptionId }: Pick<Purchase, "subscriptionId">,
): Promise<Stripe.Invoice[]> {
  const { data } = await stripe.invoices.list({ subscription: subscriptionId, limit: 100 });
  return data.toReversed().filter((invoice) => invoice.billing_reason !== "subscription_create");
}

/** Replaces the card that a subscription is charged to. */
export async function replaceCard(
  { stripe }: Clients,
  { customerId, subscriptionId }: Purchase,
  testCard: string,
): Promise<void> {
  const { id } = await stripe.paymentMethods.attach(testCard, { customer: customerId });
  await stripe.customers.update(customerId, {
    invoice_settings: { default_payment_method: id },
  });
  await stripe.subscriptions.update(subscriptionId, { default_payment_method: id });
}
