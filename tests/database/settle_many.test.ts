import assert from "node:assert/strict";
import {
  type ClaimedPerson,
  claimSeats,
  clerkInvitation,
  invitationsTo,
  people,
  settleInvitations,
} from "./claims.ts";
import { applyClerkEvent } from "./clerk_deliveries.ts";
import { clerkInvitation as toldInvitation, invitationEvent } from "./clerk_events.ts";
import { only, withTransaction } from "./connection.ts";
import { makeOrganization, numbersOf } from "./organizations.ts";
import { assertCounted } from "./recount.ts";

/** Clerk has made the invitation that a seat was held for. */
function made({ email, invitationId }: ClaimedPerson) {
  return { invitationId, invitation: clerkInvitation(email), status: "pending" };
}

Deno.test("many answers at once are each settled by themselves, and each booked", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 9, members: 2 });
    const claimed = await claimSeats(sql, organization, people(5));
    const [ann, bob, cleo, dan, eve] = claimed;
    assert(ann && bob && cleo && dan && eve);
    await settleInvitations(sql, organization, [{ invitationId: eve.invitationId, refused: true }]);

    const states = await settleInvitations(sql, organization, [
      made(ann),
      { invitationId: bob.invitationId, refused: true },
      { ...made(cleo), status: "revoked" },
      { ...made(dan), invitationId: crypto.randomUUID() },
      made(eve),
    ]);

    // Eve's seat was given back before, and is free for her.
    assert.deepEqual(states, ["pending", "revoked", "revoked", "unknown", "pending"]);
    const { members, invitations } = await numbersOf(sql, organization);
    assert.deepEqual({ members, invitations }, { members: 2, invitations: 3 });
    await assertCounted(sql, organization);
    const booked = await sql`
      select after ->> 'status' as status from public.billing_changes
      where organization_id = ${organization.id} and kind = 'invitation'
        and subject = ${ann.invitationId}
      order by id`;
    assert.deepEqual(booked.map((line) => line["status"]), ["reserved", "pending"]);
  }));

Deno.test("an answer about another organization's reservation is unknown, and settles nothing", () =>
  withTransaction(async (sql) => {
    const [organization, other] = [
      await makeOrganization(sql, { seats: 5 }),
      await makeOrganization(sql, { seats: 5 }),
    ];
    const theirs = only(await claimSeats(sql, other, people(1)));

    assert.deepEqual(await settleInvitations(sql, organization, [made(theirs)]), ["unknown"]);

    assert.deepEqual(await invitationsTo(sql, other, theirs.email), ["reserved seat"]);
  }));

Deno.test("an invitation whose event came first and was not known for the reservation's is one", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 5 });
    const ours = only(await claimSeats(sql, organization, [{ email: "ann@example.com" }]));
    const told = toldInvitation({ id: organization.clerkOrgId }, "ann", Date.now() - 3_600_000);
    await applyClerkEvent(sql, invitationEvent("created", told));
    const answer = made(ours);

    const states = await settleInvitations(sql, organization, [
      { ...answer, invitation: { ...answer.invitation, id: told.id } },
    ]);

    assert.deepEqual(states, ["pending"]);
    assert.equal((await numbersOf(sql, organization)).used, 1);
    await assertCounted(sql, organization);
  }));
