import assert from "node:assert/strict";
import type postgres from "postgres";

/** How an organization stands, as Postgres has it. */
export interface Numbers {
  /** Stripe's status of the subscription; null without a row. */
  readonly status: string | null;
  readonly plan: string | null;
  readonly purchased: number;
  readonly limit: number;
  readonly members: number;
  readonly invitations: number;
  readonly used: number;
  readonly overCapacity: boolean;
}

/** Reads the numbers of an organization. */
export async function numbersOf(
  sql: postgres.Sql,
  { id }: { readonly id: string },
): Promise<Numbers> {
  return only(
    await sql<Numbers[]>`
      select s.status, s.plan, coalesce(s.purchased_seats, 0) as purchased, o.seat_limit as limit,
        o.members_count as members, o.pending_invitations_count as invitations,
        o.seats_used as used, o.over_capacity as "overCapacity"
      from public.organizations as o
      left join public.organization_subscriptions as s on s.organization_id = o.id
      where o.id = ${id}`,
  );
}

/** An intent to buy. */
export interface Intent {
  readonly id: string;
  readonly state: string;
  readonly plan: string;
  readonly period: string;
  readonly seats: number;
  readonly session: string | null;
  readonly actor: string;
}

/** Reads the intents of an organization, oldest first. */
export async function intentsOf(
  sql: postgres.Sql,
  { id }: { readonly id: string },
): Promise<readonly Intent[]> {
  const rows = await sql<Intent[]>`
    select id, state, plan, billing_period as period, seats, stripe_checkout_session_id as session,
      actor
    from public.seat_changes where organization_id = ${id} order by created_at`;
  return [...rows];
}

/** Whether the ledger of webhooks has an event, and as what. */
export async function ledgerOutcome(sql: postgres.Sql, eventId: string): Promise<string | null> {
  const [row] = await sql<{ outcome: string }[]>`
    select outcome from private.webhook_events where event_id = ${eventId}`;
  return row?.outcome ?? null;
}

/** The one row of an answer. */
export function only<Row>(rows: readonly Row[]): Row {
  const [row] = rows;
  assert(row !== undefined && rows.length === 1, `There are ${rows.length} rows instead of one`);
  return row;
}
