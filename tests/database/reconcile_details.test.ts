import assert from "node:assert/strict";
import { type Transaction, withTransaction } from "./connection.ts";
import { makeOrganization, numbersOf, type Organization } from "./organizations.ts";
import { assertCounted } from "./recount.ts";
import { claimOrganization, clerkStateOf, type Drift, reconcile, sync } from "./sync_leases.ts";

const DAMAGES: Readonly<Record<string, readonly [table: string, damage: string, kind: string]>> = {
  "who a member is": ["members", "clerk_user_id = 'user_thief'", "member_details"],
  "a member's address": ["members", "email = 'thief@example.com'", "member_details"],
  "a member's role": ["members", "role = 'org:other'", "member_role"],
  "who is invited": ["invitations", "email = 'thief@example.com'", "invitation_details"],
  "what somebody is invited as": ["invitations", "role = 'org:other'", "invitation_details"],
  "until when somebody is invited": [
    "invitations",
    "expires_at = now() + interval '1 year'",
    "invitation_details",
  ],
};

/** An organization, and what Clerk says of it. */
async function begun(sql: Transaction, members = 3, invitations = 2) {
  const organization = await makeOrganization(sql, {
    seats: 9,
    members,
    invitations,
    queued: true,
  });
  return { organization, clerk: await clerkStateOf(sql, organization) };
}

/** Writes to one row of an organization, past every trigger. */
async function damage(
  sql: Transaction,
  { id }: Organization,
  table: string,
  change: string,
): Promise<void> {
  await sql`set local session_replication_role = replica`;
  await sql.unsafe(
    `update public.organization_${table} set ${change} where id = (
       select id from public.organization_${table} where organization_id = $1 order by email limit 1
     )`,
    [id],
  );
  await sql`set local session_replication_role = origin`;
}

for (const [what, [table, change, kind]] of Object.entries(DAMAGES)) {
  Deno.test(`one sync repairs ${what}`, () =>
    withTransaction(async (sql) => {
      const { organization, clerk } = await begun(sql);
      await damage(sql, organization, table, change);

      const drift: readonly Drift[] = await sync(sql, organization, clerk);

      assert.deepEqual(drift.map(({ kind }) => kind), [kind]);
      assert.deepEqual(await clerkStateOf(sql, organization), clerk);
      assert.deepEqual(await sync(sql, organization, clerk), []);
      await assertCounted(sql, organization);
    }));
}

for (const first of ["own", "other"] as const) {
  Deno.test(`whoever has got into another organization comes back in one sweep (${first} first)`, () =>
    withTransaction(async (sql) => {
      const [own, other] = [await begun(sql), await begun(sql, 0, 0)];
      for (const table of ["members", "invitations"]) {
        await damage(sql, own.organization, table, `organization_id = '${other.organization.id}'`);
      }
      // A sweep leases several before it compares the first of them.
      const order = first === "own" ? [own, other] : [other, own];
      const leases = [];
      for (const { organization } of order) leases.push(await claimOrganization(sql, organization));

      for (const [index, { clerk }] of order.entries()) {
        const lease = leases[index];
        assert(lease !== undefined);
        await reconcile(sql, lease, clerk);
      }

      for (const { organization, clerk } of order) {
        assert.deepEqual(await sync(sql, organization, clerk), []);
        assert.deepEqual(await clerkStateOf(sql, organization), clerk);
        await assertCounted(sql, organization);
      }
      assert.equal((await numbersOf(sql, own.organization)).used, 5);
    }));
}

Deno.test("an address that Clerk does not tell is kept", () =>
  withTransaction(async (sql) => {
    const { organization, clerk: { memberships, invitations } } = await begun(sql);
    const silent = memberships.map((membership) => ({ ...membership, email: "" }));

    assert.deepEqual(await sync(sql, organization, { memberships: silent, invitations }), []);
    assert.deepEqual((await clerkStateOf(sql, organization)).memberships, memberships);
  }));
