import assert from "node:assert/strict";
import { applyClerkEvent } from "./clerk_deliveries.ts";
import {
  type ClerkEvent,
  clerkInvitation,
  clerkMembership,
  clerkOrganization,
  invitationAccepted,
  invitationEvent,
  membershipEvent,
  minute,
} from "./clerk_events.ts";
import { type Transaction, withTransaction } from "./connection.ts";
import { assertFull } from "./join_requests.ts";
import { makeOrganization, numbersOf } from "./organizations.ts";
import { permutations } from "./orders.ts";
import { assertCounted } from "./recount.ts";
import { clerkStateOf, sync } from "./sync_leases.ts";

/** Every choice of the events that follow an invitation, in each of its orders. */
const ORDERS = [[], [0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2]]
  .flatMap((chosen) => [...permutations(chosen)]);

/** An organization whose last seat Ann is invited to, and has just taken in Clerk. */
async function invited(sql: Transaction) {
  const organization = await makeOrganization(sql, { seats: 3, members: 2, queued: true });
  const clerk = await clerkStateOf(sql, organization);
  const theirs = clerkOrganization(organization.clerkOrgId);
  const invitation = clerkInvitation(theirs, "ann", minute(10));
  const membership = clerkMembership(theirs, "ann", minute(20));
  const created = invitationEvent("created", invitation);
  await applyClerkEvent(sql, created);
  const { id, userId, email, role } = membership;
  const at = new Date(minute(20)).toISOString();
  const joined = { id, userId, email, role, createdAt: at, updatedAt: at };
  const later: readonly ClerkEvent[] = [
    created,
    invitationAccepted(invitation, "user_ann", minute(20)),
    membershipEvent("created", membership),
  ];
  return {
    organization,
    later,
    clerk: { memberships: [...clerk.memberships, joined], invitations: [] },
  };
}

Deno.test("whichever events of an acceptance at three of three are lost, one sync ends with three of three", () =>
  withTransaction(async (sql) => {
    for (const order of ORDERS) {
      const { organization, later, clerk } = await invited(sql);
      for (const index of order) {
        const event = later[index];
        assert(event !== undefined);
        await applyClerkEvent(sql, event);
        await assertFull(sql, organization);
      }

      await sync(sql, organization, clerk);

      await assertFull(sql, organization);
      assert.deepEqual(await sync(sql, organization, clerk), []);
      const { members, invitations, overCapacity } = await numbersOf(sql, organization);
      assert.deepEqual(
        { members, invitations, overCapacity },
        { members: 3, invitations: 0, overCapacity: false },
        order.join(),
      );
      await assertCounted(sql, organization);
      // What was only late changes nothing any more.
      for (const event of later) {
        await applyClerkEvent(sql, event);
        await assertFull(sql, organization);
      }
    }
  }));
