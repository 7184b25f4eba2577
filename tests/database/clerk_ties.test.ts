import assert from "node:assert/strict";
import { applyClerkEvents } from "./clerk_deliveries.ts";
import {
  type ClerkEvent,
  clerkMembership,
  clerkOrganization,
  membershipEvent,
  minute,
  organizationEvent,
} from "./clerk_events.ts";
import { only, withTransaction } from "./connection.ts";
import { randomId } from "./random_id.ts";

/** Asserts whether the sweep asks Clerk about an organization soon, once these events have come. */
function assertDue(
  expected: boolean,
  clerkOrgId: string,
  events: readonly ClerkEvent[],
): Promise<void> {
  return withTransaction(async (sql) => {
    await applyClerkEvents(sql, events.map((event) => ({ messageId: randomId("msg"), event })));
    const rows = await sql<{ due: boolean }[]>`
      select q.due from private.organization_syncs as q
      join public.organizations as o on o.id = q.organization_id
      where o.clerk_org_id = ${clerkOrgId}`;
    assert.equal(only(rows).due, expected);
  });
}

const acme = { ...clerkOrganization(), updatedAt: minute(10) };
const created = organizationEvent("created", acme);
const ann = { ...clerkMembership(acme, "ann", minute(10)), updatedAt: minute(20) };
const joined = membershipEvent("created", ann);
const joinedAgain = membershipEvent("created", { ...ann, id: randomId("orgmem") });

for (
  const [what, one, other] of [
    [
      "names of an organization",
      organizationEvent("updated", acme),
      organizationEvent("updated", { ...acme, name: "Acme Two" }),
    ],
    [
      "roles of a member",
      membershipEvent("updated", ann),
      membershipEvent("updated", { ...ann, role: "org:admin" }),
    ],
  ] as const
) {
  Deno.test(`of two ${what} of one moment only Clerk knows which is the later: it is asked soon`, async () => {
    await assertDue(true, acme.id, [created, joined, one, other]);
    await assertDue(true, acme.id, [created, joined, other, one]);
  });

  Deno.test(`nobody is asked about ${what} that were told twice`, async () => {
    await assertDue(false, acme.id, [created, joined, one, one]);
    await assertDue(false, acme.id, [one, joined, created, one]);
  });
}

Deno.test("of two memberships of one person and moment only Clerk knows which is the later: it is asked soon", async () => {
  await assertDue(true, acme.id, [created, joined, joinedAgain]);
  await assertDue(true, acme.id, [created, joinedAgain, joined]);
});

Deno.test("nobody is asked about two memberships of one moment of which one had ended before", async () => {
  await assertDue(false, acme.id, [
    created,
    joined,
    membershipEvent("deleted", { ...ann, updatedAt: minute(30) }),
    joinedAgain,
  ]);
});
