import type { Clients } from "../../clients.ts";

/**
 * What somebody who writes past every trigger does to rows: the table, which of its rows, and what
 * becomes of them. Only what Clerk or Stripe knows better can be found out: not who belongs to which
 * customer, nor that an organization was approved.
 */
const DAMAGES: readonly (readonly [table: string, which: string, damage: string])[] = [
  ["public.organization_members", "status = 'active'", "status = 'removed'"],
  ["public.organization_members", "status = 'active'", "status = 'rejected', holds_seat = false"],
  ["public.organization_members", "status = 'active'", "role = 'org:other'"],
  ["public.organization_members", "status = 'active'", "clerk_user_id = 'thief_' || clerk_user_id"],
  ["public.organization_members", "status = 'active'", "email = 'thief@example.com'"],
  ["public.organization_members", "status = 'active'", "clerk_membership_id = 'lost' || id"],
  ["public.organization_members", "status = 'active'", "holds_seat = false"],
  [
    "public.organization_members",
    "status = 'active'",
    // Whoever is in both would be in the way of the unique index, which nobody switches off.
    "organization_id = $other, clerk_user_id = 'moved_' || clerk_user_id",
  ],
  ["public.organization_members", "status = 'active'", ""],
  [
    "public.organization_members",
    `status = 'removed' and not exists (
      select from public.organization_members as other
      where other.organization_id = t.organization_id and other.clerk_user_id = t.clerk_user_id
        and other.id <> t.id
    )`,
    "status = 'active'",
  ],
  ["public.organization_members", "status = 'removed'", "holds_seat = true"],
  ["public.organization_invitations", "status = 'pending'", "status = 'revoked'"],
  [
    "public.organization_invitations",
    "status = 'pending'",
    "status = 'joined', holds_seat = false",
  ],
  ["public.organization_invitations", "status = 'pending'", "email = 'thief@example.com'"],
  ["public.organization_invitations", "status = 'pending'", "role = 'org:other'"],
  ["public.organization_invitations", "status = 'pending'", "clerk_invitation_id = 'lost' || id"],
  [
    "public.organization_invitations",
    "status = 'pending'",
    "expires_at = now() - interval '1 day'",
  ],
  [
    "public.organization_invitations",
    "status = 'pending'",
    "expires_at = now() + interval '1 year'",
  ],
  ["public.organization_invitations", "status = 'pending'", "holds_seat = false"],
  ["public.organization_invitations", "status = 'pending'", "organization_id = $other"],
  ["public.organization_invitations", "status = 'pending'", ""],
  ["public.organization_invitations", "status in ('revoked', 'joined')", "status = 'pending'"],
  ["public.organization_invitations", "status in ('revoked', 'joined')", "holds_seat = true"],
  ["public.organizations", "true", "members_count = members_count + 1"],
  ["public.organizations", "true", "pending_invitations_count = pending_invitations_count + 5"],
  ["public.organizations", "true", "seat_limit = seat_limit + 40"],
  ["public.organizations", "subscription_plan is not null", "subscription_plan = 'ultra'"],
  ["public.organizations", "true", "clerk_limit = clerk_limit + 7"],
  ["public.organizations", "true", "clerk_limit = 900, clerk_limit_pushed = 900"],
  ["public.organizations", "true", "name = 'Somebody', slug = 'somebody'"],
  ["public.organization_subscriptions", "purchased_seats > 0", "purchased_seats = 90"],
  ["public.organization_subscriptions", "purchased_seats > 0", "renewal_seats = 0"],
  ["public.organization_subscriptions", "purchased_seats > 0", "status = 'canceled'"],
  ["public.organization_subscriptions", "purchased_seats > 0", "plan = 'ultra'"],
  [
    "public.organization_subscriptions",
    "purchased_seats > 0",
    "current_period_end = now(), stripe_seat_item_id = 'si_lost'",
  ],
  ["private.stripe_subscriptions", "status = 'active'", "quantity = 90"],
  ["private.stripe_subscriptions", "status = 'active'", "status = 'canceled'"],
  [
    "private.stripe_subscriptions",
    "status = 'active'",
    "plan = 'ultra', billing_period = 'yearly'",
  ],
  ["private.stripe_subscriptions", "status = 'active'", "current_period_end = now()"],
  ["private.stripe_subscriptions", "status = 'active'", "first_payment = 'awaited'"],
  ["private.stripe_subscriptions", "status = 'active'", ""],
  ["private.stripe_subscriptions", "status = 'canceled'", "status = 'active', quantity = 50"],
];

/**
 * Damages that share of the rows of each table, each kind of damage once at the least, rows of
 * organizations that are alive, chosen by the seed and their ids. Resolves to how many rows were damaged.
 */
export async function corrupt(
  { sql }: Clients,
  { seed, share }: { seed: number; share: number },
): Promise<number> {
  return await sql.begin(async (sql) => {
    await sql`set local session_replication_role = replica`;
    let damaged = 0;
    for (const [index, [table, which, damage]] of DAMAGES.entries()) {
      const kinds = DAMAGES.filter(([other]) => other === table).length;
      const owner = table === "public.organizations" ? "id" : "organization_id";
      const chosen = `
        select t.ctid from ${table} as t
        where ${which} and ${owner} in (select id from public.organizations where deleted_at is null)
        order by md5(t.${owner}::text || ${seed + index})
        limit greatest(1, (select ${share} / ${kinds} * count(*) from ${table})::integer)`;
      const other =
        "(select id from public.organizations where deleted_at is null order by id limit 1)";
      const { count } = await sql.unsafe(
        damage === ""
          ? `delete from ${table} where ctid = any (array(${chosen}))`
          : `update ${table} as t set ${damage.replace("$other", other)}
             where ctid = any (array(${chosen}))`,
      );
      damaged += count;
    }
    return damaged;
  });
}
