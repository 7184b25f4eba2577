import assert from "node:assert/strict";
import fc from "fast-check";
import type postgres from "postgres";
import { applyClerkEvents, type Delivery } from "./clerk_deliveries.ts";
import {
  type ClerkEvent,
  clerkInvitation,
  clerkMembership,
  clerkOrganization,
  invitationAccepted,
  invitationEvent,
  membershipEvent,
  minute,
  organizationDeleted,
  organizationEvent,
} from "./clerk_events.ts";
import { rolledBack, withConnections } from "./connection.ts";
import { permutations, repeated, type Repetition, shuffledRepetitions } from "./orders.ts";
import { randomId } from "./random_id.ts";
import { type Rows, rowsOf } from "./rows.ts";

/** Events in the order in which they happened. */
interface History {
  readonly clerkOrgId: string;
  readonly deliveries: readonly Delivery[];
}

function history(clerkOrgId: string, events: readonly ClerkEvent[]): History {
  return {
    clerkOrgId,
    deliveries: events.map((event) => ({ messageId: randomId("msg"), event })),
  };
}

/** The rows after these deliveries; a third one comes when the ledger has forgotten the event. */
function rowsAfter(
  connection: postgres.Sql,
  { clerkOrgId }: History,
  order: readonly Repetition<Delivery>[],
): Promise<Rows> {
  const deliveries = order.map(({ thing: { messageId, event }, time }) => ({
    messageId: time < 3 ? messageId : `${messageId}_${time}`,
    event,
  }));
  return rolledBack(connection, async (sql) => {
    await applyClerkEvents(sql, deliveries);
    return await rowsOf(sql, clerkOrgId);
  });
}

async function assertEveryOrder(told: History): Promise<void> {
  await withConnections(1, async ([connection]) => {
    const inOrder = told.deliveries.map((thing) => ({ thing, time: 1 }));
    const expected = await rowsAfter(connection, told, inOrder);
    let pattern = 0;
    for (const order of permutations(told.deliveries)) {
      const rows = await rowsAfter(connection, told, repeated(order, pattern++));
      assert.deepEqual(rows, expected, order.map(({ event }) => event.type).join(", "));
    }
  });
}

Deno.test("any order of a membership that changes, ends and begins again", () => {
  const organization = clerkOrganization();
  const renamed = { ...organization, name: "Acme Two", updatedAt: minute(30) };
  const first = clerkMembership(organization, "ann", minute(10));
  const changed = { ...first, role: "org:admin" as const, updatedAt: minute(20) };
  const again = clerkMembership(renamed, "ann", minute(50));
  return assertEveryOrder(history(organization.id, [
    organizationEvent("created", organization),
    membershipEvent("created", first),
    membershipEvent("updated", changed),
    organizationEvent("updated", renamed),
    membershipEvent("deleted", { ...changed, organization: renamed, updatedAt: minute(40) }),
    membershipEvent("created", again),
  ]));
});

Deno.test("any order of an invitation that leads to a membership", () => {
  const organization = clerkOrganization();
  const invitation = clerkInvitation(organization, "Ann", minute(10));
  const membership = clerkMembership(organization, "ann", minute(20));
  return assertEveryOrder(history(organization.id, [
    organizationEvent("created", organization),
    invitationEvent("created", invitation),
    invitationAccepted(invitation, "user_ann", minute(20)),
    membershipEvent("created", membership),
    membershipEvent("updated", { ...membership, email: "new@example.com", updatedAt: minute(30) }),
  ]));
});

Deno.test("any order of an invitation that is revoked, and of the next one", () => {
  const organization = clerkOrganization();
  const first = clerkInvitation(organization, "ann", minute(10));
  const second = clerkInvitation(organization, "ann", minute(30));
  return assertEveryOrder(history(organization.id, [
    invitationEvent("created", first),
    invitationEvent("revoked", { ...first, updatedAt: minute(20) }),
    invitationEvent("created", second),
    invitationAccepted(second, "user_ann", minute(40)),
    membershipEvent("created", {
      ...clerkMembership(organization, "ann", minute(40)),
      email: "another@example.com",
    }),
  ]));
});

Deno.test("any order of what comes before an organization is deleted", () => {
  const organization = clerkOrganization();
  const invitation = clerkInvitation(organization, "bob", minute(20));
  const accepted = clerkInvitation(organization, "cleo", minute(20));
  return assertEveryOrder(history(organization.id, [
    membershipEvent("created", clerkMembership(organization, "ann", minute(10))),
    invitationEvent("created", invitation),
    invitationEvent("created", accepted),
    invitationAccepted(accepted, "user_cleo", minute(30)),
    organizationDeleted(organization, minute(40)),
  ]));
});

Deno.test("any order of two memberships of one person within the same millisecond", () => {
  const organization = clerkOrganization();
  const first = clerkMembership(organization, "ann", minute(10));
  const second = clerkMembership(organization, "ann", minute(10));
  const [ended, living] = first.id < second.id ? [first, second] : [second, first];
  return assertEveryOrder(history(organization.id, [
    membershipEvent("created", ended),
    membershipEvent("updated", { ...ended, role: "org:admin" }),
    membershipEvent("deleted", ended),
    membershipEvent("created", living),
    membershipEvent("updated", { ...living, role: "org:admin" }),
  ]));
});

/** Sixteen events around four people. */
function longHistory(): History {
  const organization = clerkOrganization();
  const renamed = { ...organization, name: "Acme Two", updatedAt: minute(25) };
  const ann = clerkMembership(organization, "ann", minute(1));
  const bobInvited = clerkInvitation(organization, "bob", minute(2));
  const bob = clerkMembership(organization, "bob", minute(4));
  const bobAgain = clerkMembership(renamed, "bob", minute(40));
  const cleoInvited = clerkInvitation(organization, "cleo", minute(5));
  const cleoInvitedAgain = clerkInvitation(organization, "cleo", minute(7));
  const cleo = { ...clerkMembership(organization, "cleo", minute(8)), email: "c@example.com" };
  const danInvited = clerkInvitation(organization, "dan", minute(9));
  return history(organization.id, [
    organizationEvent("created", organization),
    membershipEvent("created", ann),
    membershipEvent("updated", { ...ann, role: "org:admin", updatedAt: minute(2) }),
    invitationEvent("created", bobInvited),
    invitationAccepted(bobInvited, "user_bob", minute(3)),
    membershipEvent("created", bob),
    invitationEvent("created", cleoInvited),
    invitationEvent("revoked", { ...cleoInvited, updatedAt: minute(6) }),
    invitationEvent("created", cleoInvitedAgain),
    invitationAccepted(cleoInvitedAgain, "user_cleo", minute(8)),
    membershipEvent("created", cleo),
    invitationEvent("created", danInvited),
    organizationEvent("updated", renamed),
    membershipEvent("deleted", { ...bob, updatedAt: minute(30) }),
    membershipEvent("created", bobAgain),
    membershipEvent("updated", { ...cleo, role: "org:admin", updatedAt: minute(45) }),
  ]);
}

function assertManyOrders(told: History): Promise<void> {
  return withConnections(1, async ([connection]) => {
    const inOrder = told.deliveries.map((thing) => ({ thing, time: 1 }));
    const expected = await rowsAfter(connection, told, inOrder);
    await fc.assert(
      fc.asyncProperty(shuffledRepetitions(told.deliveries), async (order) => {
        assert.deepEqual(await rowsAfter(connection, told, order), expected);
      }),
      { numRuns: 40 },
    );
  });
}

Deno.test("many orders of a long history", () => assertManyOrders(longHistory()));

Deno.test("many orders of a long history that ends with the organization", () => {
  const { clerkOrgId, deliveries } = longHistory();
  const end = organizationDeleted(clerkOrganization(clerkOrgId), minute(50));
  return assertManyOrders({
    clerkOrgId,
    deliveries: [...deliveries, { messageId: randomId("msg"), event: end }],
  });
});
