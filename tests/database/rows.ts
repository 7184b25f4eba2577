import { only, type Sql } from "./connection.ts";

/** All that Postgres holds of an organization, table by table. */
export type Rows = Readonly<Record<string, unknown>>;

/**
 * Reads every column of every row about an organization, except for ids that we generate, times of
 * our own, and what counts or dates the writes to a row and so depends on their order.
 */
export async function rowsOf(sql: Sql, clerkOrgId: string): Promise<Rows> {
  const { rows } = only(
    await sql<{ rows: Rows }[]>`
      select jsonb_build_object(
        'organization', to_jsonb(o) - 'id' - 'join_code' - 'created_at' - 'updated_at',
        'members', ${listOf(sql, "public.organization_members")},
        'invitations', ${listOf(sql, "public.organization_invitations")},
        'subscription', ${listOf(sql, "public.organization_subscriptions")},
        'seatChanges', ${listOf(sql, "public.seat_changes")},
        'stripeSubscriptions', ${listOf(sql, "private.stripe_subscriptions")}
      ) as rows
      from public.organizations as o where clerk_org_id = ${clerkOrgId}`,
  );
  return rows;
}

function listOf(sql: Sql, table: string) {
  return sql`(
    select jsonb_agg(kept order by kept::text)
    from ${sql(table)} as t
    cross join lateral (
      select to_jsonb(t) - 'id' - 'organization_id' - 'created_at' - 'updated_at' - 'version'
        - 'watermark' - 'watermark_asked' - 'watermark_tiebreak' - 'first_payment' as kept
    ) as k
    where t.organization_id = o.id
  )`;
}
