import { only, type Sql, type Transaction } from "./connection.ts";
import { makeOrganization, type Organization } from "./organizations.ts";
import { type StripeSubscription, subscribe } from "./paid_subscriptions.ts";
import { startChange } from "./seat_changes.ts";

/** What is to be reported when, on a database that nobody else uses. */
export type Case = readonly [name: string, run: (sql: Transaction) => Promise<void>];

/** What `health_report()` returns. */
export interface Report {
  readonly at: string;
  readonly webhooks: Readonly<Record<"stripe" | "clerk", WebhookFigures>>;
  readonly syncs: {
    readonly lastRunAt: string | null;
    readonly oldestSeconds: number | null;
    readonly synced: number;
    readonly failed: number;
    readonly recoveredEvents: number;
    readonly sweepsWithMuchDrift: number;
    readonly successRate: number | null;
    readonly drift: Readonly<Record<string, number>>;
  };
  readonly counts: Readonly<Record<string, number>>;
  readonly attention: readonly {
    readonly code: string;
    readonly count: number;
    readonly since?: string;
    readonly organizationIds?: readonly string[];
  }[];
}

interface WebhookFigures {
  readonly events: number;
  readonly late: number;
  readonly medianLagSeconds: number | null;
  readonly maxLagSeconds: number | null;
}

/** Reads the report. */
export async function report(sql: Sql): Promise<Report> {
  return only(await sql<{ report: Report }[]>`select public.health_report() as report`).report;
}

/** What needs a person: the codes, each with its organizations. */
export async function attention(sql: Sql): Promise<Record<string, readonly string[] | undefined>> {
  const list = (await report(sql)).attention;
  return Object.fromEntries(list.map(({ code, organizationIds }) => [code, organizationIds]));
}

/** Enters a run of sync-seats that ended so long ago. */
export async function ran(
  sql: Sql,
  ago: string,
  { organizations = 1, failed = 0, drift = {} as Record<string, number> } = {},
): Promise<void> {
  await sql`
    insert into private.sync_runs (started_at, finished_at, organizations, failed, drift)
    values (now(), now() - ${ago}::text::interval, ${organizations}, ${failed},
      ${JSON.stringify(drift)}::text::jsonb)`;
}

/** Enters events that were recorded so long ago, so many seconds after they happened. */
export async function recorded(
  sql: Sql,
  provider: string,
  lags: readonly (number | null)[],
  ago = "1 minute",
): Promise<void> {
  for (const lag of lags) {
    await sql`
      insert into private.webhook_events (provider, event_id, type, received_at, occurred_at)
      values (${provider}, gen_random_uuid(), 'any', now() - ${ago}::text::interval,
        now() - ${ago}::text::interval - make_interval(secs => ${lag}))`;
  }
}

/** Makes an organization's changes as old as they are said to be. */
export async function ageChanges(sql: Sql, { id }: Organization, ago: string): Promise<void> {
  await sql`alter table public.seat_changes disable trigger seat_changes_touch_updated_at`;
  await sql`
    update public.seat_changes
    set updated_at = now() - ${ago}::text::interval, period_end = now() - ${ago}::text::interval
    where organization_id = ${id}`;
}

/** An organization of that age that has never been compared. */
export async function neverSynced(sql: Sql, age: string): Promise<Organization> {
  const organization = await makeOrganization(sql);
  await sql`
    update public.organizations set created_at = now() - ${age}::text::interval
    where id = ${organization.id}`;
  return organization;
}

/** An organization that has begun to change its seats. */
export async function changing(
  sql: Sql,
  seats: number,
): Promise<{ organization: Organization; subscription: StripeSubscription; changeId: string }> {
  const organization = await makeOrganization(sql, { members: 2 });
  const subscription = await subscribe(sql, organization);
  const { seatChangeId } = await startChange(sql, organization, { seats });
  return { organization, subscription, changeId: seatChangeId };
}

/** Whether the database is up. */
export async function isUp(sql: Sql): Promise<boolean> {
  return only(await sql<{ up: boolean }[]>`select public.is_up() as up`).up;
}
