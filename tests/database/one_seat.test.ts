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
import { approveMember } from "./commands.ts";
import { refusalIn, withTransaction } from "./connection.ts";
import { addRequest, assertFull } from "./join_requests.ts";
import { makeOrganization, numbersOf, setSeats } from "./organizations.ts";
import { permutations } from "./orders.ts";

/** What Clerk says of one person on the way in, and of his removal. */
interface WayIn {
  readonly created: ClerkEvent;
  readonly accepted: ClerkEvent;
  readonly membership: ClerkEvent;
  readonly removal: ClerkEvent;
}

function wayIn(clerkOrgId: string, invited: string, primary: string): WayIn {
  const organization = clerkOrganization(clerkOrgId);
  const invitation = { ...clerkInvitation(organization, "ann", minute(10)), email: invited };
  const membership = {
    ...clerkMembership(organization, "ann", minute(20)),
    email: primary,
  };
  return {
    created: invitationEvent("created", invitation),
    accepted: invitationAccepted(invitation, "user_ann", minute(20)),
    membership: membershipEvent("created", membership),
    removal: membershipEvent("deleted", { ...membership, updatedAt: minute(30) }),
  };
}

/** Every order of every choice of these events that has the invitation in it. */
function ordersOf({ created, accepted, membership }: WayIn): ClerkEvent[][] {
  return [[], [accepted], [membership], [accepted, membership]]
    .flatMap((others) => [...permutations([created, ...others])]);
}

for (
  const [whose, invited, primary] of [
    ["somebody", "ann@example.com", "ann@example.com"],
    ["somebody invited in another case", "Ann@EXAMPLE.com", "ann@example.com"],
  ] as const
) {
  Deno.test(`${whose} has exactly one seat on the way in, after every event in any order`, () =>
    withTransaction(async (sql) => {
      const { length } = ordersOf(wayIn("org", invited, primary));
      for (let index = 0; index < length; index++) {
        const organization = await makeOrganization(sql, { seats: 3, members: 2 });
        const order = ordersOf(wayIn(organization.clerkOrgId, invited, primary))[index] ?? [];
        for (const event of order) {
          const { alert } = await applyClerkEvent(sql, event);
          assert.equal(alert, null);
          await assertFull(sql, organization);
        }
      }
    }));
}

Deno.test("somebody with another primary address has exactly one seat once Clerk names him", () =>
  withTransaction(async (sql) => {
    const addresses = ["ann@work.example", "ann@home.example"] as const;
    for (const position of [0, 1, 2]) {
      const organization = await makeOrganization(sql, { seats: 3, members: 2 });
      const events = wayIn(organization.clerkOrgId, ...addresses);
      const order = [events.created, events.membership].toSpliced(position, 0, events.accepted);
      for (const [index, event] of order.entries()) {
        await applyClerkEvent(sql, event);
        // Before the acceptance nothing says that the member is who was invited.
        if (index >= position || index === 0) await assertFull(sql, organization);
      }
    }
  }));

Deno.test("accepting works at N of N", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 3, members: 2 });
    const { created, accepted, membership } = wayIn(
      organization.clerkOrgId,
      "ann@example.com",
      "ann@example.com",
    );
    for (const event of [created, accepted, membership]) await applyClerkEvent(sql, event);

    assert.deepEqual(await numbersOf(sql, organization), {
      seatLimit: 3,
      members: 3,
      invitations: 0,
      used: 3,
      overCapacity: false,
    });
  }));

Deno.test("an accepted invitation keeps its seat without a membership, and after it ran out", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 1 });
    const invitation = {
      ...clerkInvitation({ id: organization.clerkOrgId }, "ann", minute(10)),
      expiresAt: minute(30),
    };
    await applyClerkEvent(sql, invitationEvent("created", invitation));
    await applyClerkEvent(sql, invitationAccepted(invitation, "user_ann", minute(20)));

    await assertFull(sql, organization);
  }));

Deno.test("an acceptance that Clerk reports after the invitation ran out takes the seat again", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 5 });
    const invitation = {
      ...clerkInvitation({ id: organization.clerkOrgId }, "ann", minute(10)),
      expiresAt: minute(30),
    };
    await applyClerkEvent(sql, invitationEvent("created", invitation));
    await approveMember(sql, (await addRequest(sql, organization)).id);
    assert.equal((await numbersOf(sql, organization)).invitations, 0);

    await applyClerkEvent(sql, invitationAccepted(invitation, "user_ann", minute(29)));

    assert.equal((await numbersOf(sql, organization)).invitations, 1);
  }));

Deno.test("a revoked invitation frees its seat", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 3, members: 2 });
    const invitation = clerkInvitation({ id: organization.clerkOrgId }, "ann", minute(10));
    await applyClerkEvent(sql, invitationEvent("created", invitation));
    await assertFull(sql, organization);

    const revoked = invitationEvent("revoked", { ...invitation, updatedAt: minute(20) });
    await applyClerkEvent(sql, revoked);

    assert.equal((await numbersOf(sql, organization)).used, 2);
    const stranger = await addRequest(sql, organization);
    assert.equal((await approveMember(sql, stranger.id)).status, "active");
  }));

Deno.test("whoever is removed after joining frees his seat", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 3, members: 2 });
    const { created, accepted, membership, removal } = wayIn(
      organization.clerkOrgId,
      "ann@work.example",
      "ann@home.example",
    );
    for (const event of [created, accepted, membership]) await applyClerkEvent(sql, event);

    await applyClerkEvent(sql, removal);

    assert.equal((await numbersOf(sql, organization)).used, 2);
  }));

Deno.test("inviting somebody who is a member takes no seat", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 1 });
    const clerk = clerkOrganization(organization.clerkOrgId);
    const membership = clerkMembership(clerk, "ann", minute(10));
    await applyClerkEvent(sql, membershipEvent("created", membership));

    const invitation = clerkInvitation(clerk, "Ann", minute(20));
    await applyClerkEvent(sql, invitationEvent("created", invitation));

    await assertFull(sql, organization);
  }));

Deno.test("a member who accepts an invitation to another address of his keeps one seat", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 2 });
    const clerk = clerkOrganization(organization.clerkOrgId);
    const membership = clerkMembership(clerk, "ann", minute(10));
    const invitation = { ...clerkInvitation(clerk, "ann", minute(20)), email: "ann@home.example" };
    await applyClerkEvent(sql, membershipEvent("created", membership));
    await applyClerkEvent(sql, invitationEvent("created", invitation));
    assert.equal((await numbersOf(sql, organization)).used, 2);

    await applyClerkEvent(sql, invitationAccepted(invitation, "user_ann", minute(30)));

    assert.equal((await numbersOf(sql, organization)).used, 1);
  }));

for (const primary of ["ann@example.com", "ann@home.example"]) {
  Deno.test(`a second invitation counts once while the end of the first is late (${primary})`, () =>
    withTransaction(async (sql) => {
      const organization = await makeOrganization(sql, { seats: 3, members: 2 });
      const clerk = clerkOrganization(organization.clerkOrgId);
      const first = clerkInvitation(clerk, "ann", minute(10));
      const second = clerkInvitation(clerk, "ann", minute(30));
      const membership = { ...clerkMembership(clerk, "ann", minute(40)), email: primary };
      for (
        const event of [
          invitationEvent("created", first),
          invitationEvent("created", second),
          invitationAccepted(second, "user_ann", minute(40)),
          membershipEvent("created", membership),
          invitationEvent("revoked", { ...first, updatedAt: minute(20) }),
        ]
      ) {
        await applyClerkEvent(sql, event);
        await assertFull(sql, organization);
      }
    }));
}

Deno.test("a membership past the limit is recorded, and said once", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 3, members: 2 });
    const clerk = clerkOrganization(organization.clerkOrgId);
    const join = (name: string) =>
      applyClerkEvent(sql, membershipEvent("created", clerkMembership(clerk, name, minute(10))));

    assert.equal((await join("ann")).alert, null);
    const { organizationId, seatsUsed, seatLimit, alert } = await join("bob");
    assert.deepEqual({ organizationId, seatsUsed, seatLimit, alert }, {
      organizationId: organization.id,
      seatsUsed: 4,
      seatLimit: 3,
      alert: "over_capacity",
    });
    assert.equal((await join("cleo")).alert, null);

    assert.equal((await numbersOf(sql, organization)).members, 5);
    assert.equal((await numbersOf(sql, organization)).overCapacity, true);
    const stranger = await addRequest(sql, organization);
    const { code, details } = await refusalIn(sql, (sql) => approveMember(sql, stranger.id));
    assert.equal(code, "seats_full");
    assert.deepEqual(details, {
      seatLimit: 3,
      seatsUsed: 5,
      available: -2,
      needed: 1,
      missing: 3,
      cost: { seats: 3, plan: "pro", billingPeriod: "monthly", amount: 2700, currency: "usd" },
    });

    await setSeats(sql, organization, 6);
    assert.equal((await numbersOf(sql, organization)).overCapacity, false);
    assert.equal((await approveMember(sql, stranger.id)).status, "active");
  }));

Deno.test("the first owner is no alert: nothing has been bought yet", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql);
    const owner = clerkMembership(clerkOrganization(organization.clerkOrgId), "ann", minute(0));

    const { alert, seatsUsed } = await applyClerkEvent(sql, membershipEvent("created", owner));

    assert.deepEqual({ alert, seatsUsed }, { alert: null, seatsUsed: 1 });
  }));
