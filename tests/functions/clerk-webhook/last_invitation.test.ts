import assert from "node:assert/strict";
import fc from "fast-check";
import { stackEnv } from "../../stack.ts";
import { assertRefused } from "../api.ts";
import { connect } from "../clients.ts";
import { addMembers, type Organization } from "../organizations.ts";
import {
  askToInvite,
  assertAgreement,
  createTeam,
  inviteOne,
  newAddress,
} from "../manage-members/team.ts";
import { numbersOf, only } from "../rows.ts";
import { limitPushed, sync } from "../sync-seats/sync.ts";

const clients = connect(stackEnv());
const { clerk, sql } = clients;

/** The seats of each organization, all of them taken. */
const SEATS = 3;

/** What Clerk sends when somebody is invited, accepts and joins. */
const TYPES = [
  "organizationInvitation.created",
  "organizationInvitation.accepted",
  "organizationMembership.created",
] as const;

/** How often each of these comes, lost ones not at all, and in which order. */
const deliveries = fc.tuple(...TYPES.map(() => fc.integer({ min: 0, max: 3 })))
  .chain((times) => {
    const all = TYPES.flatMap((type, index) => Array<string>(times[index] ?? 0).fill(type));
    return fc.shuffledSubarray(all, { minLength: all.length, maxLength: all.length });
  });

async function assertFull(organization: Organization, after: string): Promise<void> {
  const { used, limit, overCapacity } = await numbersOf(sql, organization);
  assert.deepEqual(
    { used, limit, overCapacity },
    { used: SEATS, limit: SEATS, overCapacity: false },
    after,
  );
  assertRefused(await askToInvite(clients, organization, [newAddress()]), 409, "seats_full");
}

Deno.test("accepting the last invitation at three of three works in any order of the events, with some lost", () =>
  fc.assert(
    fc.asyncProperty(deliveries, async (order) => {
      const organization = await createTeam(clients, SEATS);
      const contains = organization.clerkId;
      await addMembers(clients, organization, SEATS - 2);
      await limitPushed(clients, organization);
      const hold = await clerk.control.addPolicy({ contains, kind: "hold", times: 0 });
      const lost = await clerk.control.addPolicy({
        contains,
        type: "organization.updated",
        kind: "drop",
        times: 0,
      });
      const invitationId = await inviteOne(clients, organization);
      const { id } = only(
        await sql<{ id: string }[]>`
          select clerk_invitation_id as id from public.organization_invitations
          where id = ${invitationId}`,
      );
      // In Clerk, too, there is room for nobody else.
      const { maxAllowedMemberships } = await clerk.client.organizations.getOrganization({
        organizationId: organization.clerkId,
      });
      assert.equal(maxAllowedMemberships, SEATS);

      const userId = await clerk.acceptInvitation(id);
      await assertFull(organization, "accepted");
      for (const policy of [hold, lost]) await clerk.control.removePolicy(policy);
      const begun = new Set<string>();
      for (const type of order) {
        if (begun.has(type)) await clerk.control.replay({ contains, type: type });
        else only(await clerk.control.release({ contains, type: type }));
        begun.add(type);
        await assertFull(organization, order.join());
      }

      await sync(clients, organization);
      await assertFull(organization, `${order.join()}, synced`);
      const { members, invited } = await assertAgreement(clients, organization);
      assert.deepEqual([members.includes(userId), members.length, invited], [true, SEATS, []]);
      assert.deepEqual((await sync(clients, organization)).drift, []);
    }),
    { numRuns: 12, endOnFailure: true },
  ));
