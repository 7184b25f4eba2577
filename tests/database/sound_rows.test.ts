import assert from "node:assert/strict";
import { refusalIn, withTransaction } from "./connection.ts";
import { makeOrganization } from "./organizations.ts";
import { randomId } from "./random_id.ts";

/*
 * What no row may be, whoever writes it and past whatever function: private.is_sound().
 */

const CHECK_VIOLATION = "23514";

const EMPTY_OR_LONG = ["", "x".repeat(256)];

/** Values that are refused, by table and column. Derived columns have guards of their own. */
const UNSOUND: Readonly<Record<string, Readonly<Record<string, readonly (string | number)[]>>>> = {
  "public.organizations": {
    clerk_org_id: EMPTY_OR_LONG,
    name: ["x".repeat(257)],
    slug: ["x".repeat(257)],
    status: ["", "Approved", "deleted"],
    join_code: ["1234567", "x".repeat(257)],
    clerk_limit_error: ["x".repeat(257)],
    clerk_limit: [0, -1],
    clerk_limit_pushed: [0, -1],
  },
  "public.organization_members": {
    clerk_membership_id: EMPTY_OR_LONG,
    clerk_user_id: EMPTY_OR_LONG,
    email: ["", " ann@example.com", "Ann@example.com", "x".repeat(321)],
    role: ["", "x".repeat(129)],
    status: ["", "Active", "invited"],
  },
  "public.organization_invitations": {
    clerk_invitation_id: EMPTY_OR_LONG,
    clerk_user_id: EMPTY_OR_LONG,
    email: ["", "ann@example.com ", "Ann@example.com", "x".repeat(321)],
    role: ["", "x".repeat(129)],
    invited_by: ["x".repeat(256)],
    status: ["", "Pending", "sent"],
  },
  "public.organization_subscriptions": {
    stripe_customer_id: EMPTY_OR_LONG,
    status: ["", "Active", "free"],
    seat_billing_period: ["", "weekly"],
    purchased_seats: [-1],
    renewal_seats: [-1],
    granted_seats: [-1],
  },
  "private.stripe_subscriptions": {
    quantity: [-1],
    first_payment: ["", "Paid", "refunded"],
  },
  "private.webhook_events": {
    provider: ["", "Stripe", "paddle"],
    event_id: EMPTY_OR_LONG,
    type: EMPTY_OR_LONG,
    outcome: ["", "x".repeat(65)],
  },
};

for (const [table, columns] of Object.entries(UNSOUND)) {
  Deno.test(`${table} takes no unsound row`, () =>
    withTransaction(async (sql) => {
      const { id } = await makeOrganization(sql, { seats: 5, members: 1, invitations: 1 });
      const eventId = randomId("evt");
      await sql`
        insert into private.webhook_events (provider, event_id, type)
        values ('stripe', ${eventId}, 'invoice.paid')`;
      await sql`
        insert into private.stripe_subscriptions (
          stripe_subscription_id, organization_id, status, quantity, stripe_created_at, watermark
        ) values (${randomId("sub")}, ${id}, 'active', 5, now(), now())`;
      const key = table === "private.webhook_events"
        ? sql`event_id = ${eventId}`
        : table === "public.organizations"
        ? sql`id = ${id}`
        : sql`organization_id = ${id}`;

      for (const [column, values] of Object.entries(columns)) {
        for (const value of values) {
          const refusal = await refusalIn(sql, (sql) =>
            sql`update ${sql(table)} set ${sql(column)} = ${value} where ${key}`);
          assert.equal(refusal.sqlstate, CHECK_VIOLATION, `${column} = ${value}`);
        }
      }
    }));
}
