import assert from "node:assert/strict";
import { only, type Transaction, withTransaction } from "./connection.ts";
import type { Organization } from "./organizations.ts";
import {
  applySubscriptionEvent,
  second,
  subscribe,
  subscribed,
  subscriptionEvent,
} from "./paid_subscriptions.ts";
import { refused } from "./seat_change_refusals.ts";
import { startChange } from "./seat_changes.ts";

/** Enters that many changes into the past of a subscription, the first of them so long ago. */
async function pastChanges(
  sql: Transaction,
  organization: Organization,
  kind: "now" | "renewal",
  count: number,
  ago: string,
): Promise<void> {
  await sql`
    insert into public.seat_changes (
      organization_id, kind, state, plan, billing_period, seats, actor, expires_at,
      idempotency_key, stripe_subscription_id, plan_before, billing_period_before, seats_before,
      renewal_seats_before, proration_date, period_end, created_at
    )
    select organization_id, ${kind}, 'failed', 'pro', 'monthly', 12, 'user_admin', now(),
      gen_random_uuid()::text, stripe_seat_subscription_id, 'pro', 'monthly', 10, 10, now(),
      current_period_end,
      now() - ${ago}::text::interval + n * interval '1 millisecond'
    from public.organization_subscriptions, generate_series(0, ${count}::integer - 1) as n
    where organization_id = ${organization.id}`;
}

for (
  const [kind, limit, within, outside, wish] of [
    ["now", 10, "50 seconds", "61 seconds", { seats: 12 }],
    ["now", 20, "23 hours", "24 hours 1 second", { seats: 12 }],
    ["renewal", 200, "50 minutes", "61 minutes", { seats: 6 }],
    ["renewal", 200, "50 minutes", "61 minutes", { seats: 12 }],
  ] as const
) {
  Deno.test(`after ${limit} changes (${kind}) within ${outside}, ${wish.seats} seats are refused until there is room at Stripe`, () =>
    withTransaction(async (sql) => {
      const { organization } = await subscribed(sql);
      await pastChanges(sql, organization, kind, limit - 1, outside);
      await sql.savepoint(async (sql) => {
        await pastChanges(sql, organization, kind, limit - 1, within);
        await startChange(sql, organization, wish);
        await sql`
          update public.seat_changes set state = 'failed'
          where organization_id = ${organization.id} and state = 'open'`;
        await sql`
          update public.seat_changes set created_at = now() - ${within}::text::interval
          where organization_id = ${organization.id}
            and created_at > now() - interval '1 second'`;

        const { sqlstate, code, details } = await refused(sql, organization, wish);

        assert.deepEqual([sqlstate, code], ["PT429", "too_many_changes"]);
        const { retryAt, retryAfter } = details as { retryAt: string; retryAfter: number };
        const { seconds } = only(
          await sql<{ seconds: number }[]>`
            select extract(epoch from ${retryAt}::text::timestamptz - now())::float8 as seconds`,
        );
        assert(seconds > 0 && seconds <= retryAfter && retryAfter <= seconds + 1);
        const { left } = only(
          await sql<{ left: number }[]>`
            select extract(epoch from
              case ${limit}::integer when 10 then interval '1 minute'
                when 20 then interval '1 day' else interval '1 hour' end
              - ${within}::text::interval)::float8 as left`,
        );
        assert(Math.abs(seconds - left) < 1, `${seconds} instead of ${left}`);
      });
    }));
}

Deno.test("changes that cost nothing do not count as invoices", () =>
  withTransaction(async (sql) => {
    const { organization } = await subscribed(sql);
    await pastChanges(sql, organization, "renewal", 30, "50 seconds");
    assert.equal((await startChange(sql, organization, { seats: 12 })).state, "open");
  }));

Deno.test("after too many invoices seats can still be given back", () =>
  withTransaction(async (sql) => {
    const { organization } = await subscribed(sql);
    await pastChanges(sql, organization, "now", 20, "50 seconds");
    assert.equal((await startChange(sql, organization, { seats: 6 })).state, "open");
  }));

Deno.test("the changes of a subscription that has ended do not count for the next one", () =>
  withTransaction(async (sql) => {
    const { organization, subscription } = await subscribed(sql);
    await pastChanges(sql, organization, "now", 20, "50 seconds");
    const ended = { ...subscription, status: "canceled" };
    await applySubscriptionEvent(sql, subscriptionEvent(ended, second(1), "deleted"));
    await subscribe(sql, organization, { created: second(2) });

    assert.equal((await startChange(sql, organization, { seats: 12 })).state, "open");
  }));
