import type postgres from "postgres";
import { type FilledOrganization, SEATS } from "./organizations.ts";

/*
 * The statements that are measured, and the bare ones beside them: the same client sends both, the
 * way the Data API does, prepared, one round trip each.
 */

let used = 0;

/** A number that no other statement of this run has. */
function next(): number {
  return ++used;
}

const RUN = Date.now().toString(36);
/** Later than what is known of the filled subscriptions, a second an event. */
const SINCE = 1_700_000_001;

/** Makes the tables that the floors write to. */
export async function makeFloorTables(sql: postgres.Sql, rows: number): Promise<void> {
  await sql`drop schema if exists bench cascade`;
  await sql`create schema bench`;
  await sql`create table bench.counters (id integer primary key, n bigint not null default 0)`;
  await sql`insert into bench.counters (id) select generate_series(1, ${rows}::integer)`;
  await sql`
    create table bench.rows (
      id bigint generated always as identity primary key, counter integer not null,
      email text not null
    )`;
}

/** The floor of one hot organization. */
export function updateOneRow(sql: postgres.Sql): Promise<unknown> {
  return sql`update bench.counters set n = n + 1 where id = 1`;
}

/** The floor of many organizations, in one round trip and one transaction. */
export function insertAndUpdate(sql: postgres.Sql, counter: number): Promise<unknown> {
  const email = `p${next()}@example.com`;
  return sql`
    with inserted as (
      insert into bench.rows (counter, email) values (${counter}, ${email}) returning counter
    )
    update bench.counters set n = n + 1 from inserted where id = inserted.counter`;
}

/** Claims a seat for somebody whom nobody knows. */
export function claimSeat(sql: postgres.Sql, organization: FilledOrganization): Promise<unknown> {
  const people = JSON.stringify([{ email: `p${next()}-${RUN}@example.com` }]);
  return sql`
    select public.claim_seats(
      ${organization.id}, ${organization.clerkOrgId}, ${people}::text::jsonb, false, 'user_admin'
    )`;
}

/** The floor of an event. */
export function insertIntoLedger(sql: postgres.Sql): Promise<unknown> {
  return sql`
    insert into private.webhook_events (provider, event_id, type, occurred_at)
    values ('stripe', ${`evt_f${RUN}${next()}`}, 'customer.subscription.updated', now())
    on conflict do nothing`;
}

/** Takes in an event that nobody has seen. Fails when it is not applied. */
export async function applyEvent(
  sql: postgres.Sql,
  organization: FilledOrganization,
  changesSeats: boolean,
): Promise<void> {
  const n = next();
  const quantity = changesSeats ? SEATS + n : SEATS;
  const event = JSON.stringify(subscriptionEvent(organization, n, quantity));
  const [row] = await sql`
    select public.apply_stripe_event(${event}::text::jsonb) ->> 'outcome' as outcome`;
  // Of two events at once the one with the later second may come first: then the other is stale.
  if (row?.["outcome"] !== "applied" && row?.["outcome"] !== "stale") {
    throw new Error(`The event was not applied: ${row?.["outcome"]}`);
  }
}

/** What Stripe says of a subscription, as far as anybody reads it, and then some. */
function subscriptionEvent(
  { clerkOrgId }: FilledOrganization,
  n: number,
  quantity: number,
): object {
  const word = clerkOrgId.slice("org_".length);
  const item = {
    id: `si_${word}`,
    object: "subscription_item",
    quantity,
    current_period_start: 1_700_000_000,
    current_period_end: 1_900_000_000,
    price: {
      id: "price_1",
      lookup_key: "seatkeeper_pro_monthly",
      recurring: { interval: "month", interval_count: 1 },
    },
  };
  const object = {
    id: `sub_${word}`,
    object: "subscription",
    customer: `cus_${word}`,
    status: "active",
    created: 1_700_000_000,
    cancel_at: null,
    cancel_at_period_end: false,
    pending_update: null,
    latest_invoice: "in_1",
    metadata: {},
    items: { object: "list", data: [item] },
  };
  return {
    id: `evt_${RUN}${n}`,
    object: "event",
    type: "customer.subscription.updated",
    created: SINCE + n,
    data: { object },
  };
}

/** Asks whether somebody still fits. */
export function checkCapacity(
  sql: postgres.Sql,
  organization: FilledOrganization,
): Promise<unknown> {
  return sql`select * from public.check_organization_capacity(${organization.id})`;
}
