import assert from "node:assert/strict";
import { stackEnv } from "../../stack.ts";
import { assertRefused } from "../api.ts";
import { connect } from "../clients.ts";
import { withEndlessInvitations } from "../endless_invitations.ts";
import { addInvitations, addMembers, createOrganization, settled } from "../organizations.ts";
import { countRequests } from "../requests.ts";
import { numbersOf } from "../rows.ts";
import { withFunction } from "../served_function.ts";
import { limitPushed } from "../sync-seats/sync.ts";
import {
  askToInvite,
  assertAgreement,
  createTeam,
  grantSeats,
  inClerk,
  invite,
  inviteOne,
  newAddress,
  newAddresses,
} from "./team.ts";

const clients = connect(stackEnv());
const { clerk, sql } = clients;

Deno.test("people are invited, each on a seat", async () => {
  const team = await createTeam(clients, 5);
  const [ada = "", bob = ""] = newAddresses(2);
  const { invitations, seats } = await invite(clients, team, [
    ada,
    { email: ` ${bob.toUpperCase()} `, role: "org:admin" },
  ]);
  assert.deepEqual(
    invitations.map(({ email, role, outcome }) => ({ email, role, outcome })),
    [
      { email: ada, role: "org:member", outcome: "invited" },
      { email: bob, role: "org:admin", outcome: "invited" },
    ],
  );
  assert.deepEqual(seats, { seatLimit: 5, seatsUsed: 3, available: 2 });

  assert.deepEqual((await assertAgreement(clients, team)).invited, [ada, bob].sort());
  const rows = await sql`
    select id, email, role, status, invited_by
    from public.organization_invitations where organization_id = ${team.id}`;
  for (const row of rows) {
    const told = invitations.find(({ invitationId }) => invitationId === row["id"]);
    assert.deepEqual([row["email"], row["role"]], [told?.email, told?.role]);
    assert.deepEqual([row["status"], row["invited_by"]], ["pending", team.adminId]);
  }
});

Deno.test("an invitation is made in the name of the admin, and its webhook changes nothing", async () => {
  const team = await createTeam(clients, 2);
  const id = await inviteOne(clients, team);
  await settled(clients, team.clerkId);
  const { data: [invitation] } = await clerk.client.organizations.getOrganizationInvitationList({
    organizationId: team.clerkId,
  });
  assert.equal(invitation?.raw?.["inviter_id" as "id"], team.adminId);
  const rows = await sql`
    select id from public.organization_invitations where organization_id = ${team.id}`;
  assert.deepEqual(rows.map((row) => row["id"]), [id]);
});

Deno.test("an invitation of which Clerk names no end holds its seat", async () => {
  const team = await createTeam(clients, 2);
  await withEndlessInvitations(clients, async (CLERK_API_URL) => {
    await withFunction(clients, "manage-members", { CLERK_API_URL }, async ({ base }) => {
      await invite(clients, team, [newAddress()], "", base);
      assertRefused(
        await askToInvite(clients, team, [newAddress()], "", base),
        409,
        "seats_full",
      );
    });
  });
});

Deno.test("many are invited ten at a call, a few one by one", async () => {
  const team = await createTeam(clients, 60);
  // The limit is in Clerk from now on.
  await inviteOne(clients, team);
  const path = `/organizations/${team.clerkId}/invitations`;
  const bulks = await countRequests(clerk.control, { method: "POST", path: `${path}/bulk$` });
  const singles = await countRequests(clerk.control, { method: "POST", path: `${path}$` });

  const { invitations } = await invite(clients, team, newAddresses(33));
  assert.deepEqual(new Set(invitations.map(({ outcome }) => outcome)), new Set(["invited"]));
  assert.deepEqual([await bulks.hits(), await singles.hits()], [3, 3]);
  await invite(clients, team, newAddresses(15));
  assert.deepEqual([await bulks.hits(), await singles.hits()], [5, 3]);
  await Promise.all([bulks.remove(), singles.remove()]);
  assert.equal((await assertAgreement(clients, team)).invited.length, 49);
});

Deno.test("nobody takes a second seat: the same address twice, invited before, a member already", async () => {
  const team = await createTeam(clients, 9);
  const [twice = "", invited = "", outside = ""] = newAddresses(3);
  const member = await clerk.createUser();
  const address = member.emailAddresses[0]?.emailAddress ?? "";
  await clerk.addMember(team.clerkId, { userId: member.id });
  await clerk.invite(team.clerkId, outside);
  await settled(clients, team.clerkId);
  await inviteOne(clients, team, invited);

  const { invitations, seats } = await invite(clients, team, [
    twice,
    twice.toUpperCase(),
    invited.toUpperCase(),
    outside,
    address.toUpperCase(),
  ]);
  assert.deepEqual(
    invitations.map(({ email, outcome, invitationId }) => [email, outcome, invitationId === null]),
    [
      [twice, "invited", false],
      [twice, "already_invited", true],
      [invited, "already_invited", true],
      [outside, "already_invited", true],
      [address, "already_member", true],
    ],
  );
  assert.equal(seats.seatsUsed, 5);
  await assertAgreement(clients, team);
});

Deno.test("all or nobody: without seats for all of them Clerk is not asked", async () => {
  const team = await createTeam(clients, 3);
  const requests = await countRequests(clerk.control, {
    contains: team.clerkId,
    method: "POST",
  });
  const answer = await askToInvite(clients, team, newAddresses(5));
  assert.deepEqual(assertRefused(answer, 409, "seats_full"), {
    seatLimit: 3,
    seatsUsed: 1,
    available: 2,
    needed: 5,
    missing: 3,
    cost: null,
  });
  assert.equal(await requests.hits(), 0);
  await requests.remove();
  assert.deepEqual((await assertAgreement(clients, team)).invited, []);
});

Deno.test("partial: as many as fit, and the answer says which", async () => {
  const team = await createTeam(clients, 3);
  const people = newAddresses(5);
  const { invitations, seats } = await invite(clients, team, people, "?partial=true");
  assert.deepEqual(
    invitations.map(({ outcome, invitationId }) => [outcome, invitationId !== null]),
    [["invited", true], ["invited", true], ...Array(3).fill(["no_seat", false])],
  );
  assert.deepEqual(seats, { seatLimit: 3, seatsUsed: 3, available: 0 });
  assert.deepEqual((await assertAgreement(clients, team)).invited, people.slice(0, 2).sort());

  const { invitations: none } = await invite(clients, team, newAddresses(1), "?partial=true");
  assert.deepEqual(none.map(({ outcome }) => outcome), ["no_seat"]);
  assertRefused(
    await askToInvite(clients, team, newAddresses(1), "?partial=false"),
    409,
    "seats_full",
  );
});

Deno.test("of 64 who invite somebody for the last seat at the same moment, one does", async () => {
  const team = await createTeam(clients, 2);
  const answers = await Promise.all(
    Array.from({ length: 64 }, () => askToInvite(clients, team, [newAddress()])),
  );
  const invited = answers.filter(({ status }) => status === 200);
  assert.equal(invited.length, 1);
  assert.equal(invited[0]?.body.invitations[0]?.outcome, "invited");
  for (const answer of answers) {
    if (answer.status !== 200) assertRefused(answer, 409, "seats_full");
  }
  assert.equal((await assertAgreement(clients, team)).invited.length, 1);
});

Deno.test("of 64 who invite the same person at the same moment, one does", async () => {
  const team = await createTeam(clients, 9);
  const address = newAddress();
  const answers = await Promise.all(
    Array.from({ length: 64 }, () => invite(clients, team, [address])),
  );
  const outcomes = answers.map(({ invitations: [one] }) => one?.outcome);
  assert.equal(outcomes.filter((outcome) => outcome === "invited").length, 1);
  assert.equal(outcomes.filter((outcome) => outcome === "already_invited").length, 63);
  assert.deepEqual((await assertAgreement(clients, team)).invited, [address]);
});

Deno.test("whom Clerk refuses gives the seat back, each for a reason of their own", async () => {
  const team = await createTeam(clients, 20);
  // In Clerk, and unheard of here: only Clerk can say so.
  const member = await clerk.createUser();
  const lost = await clerk.control.addPolicy({ contains: team.clerkId, kind: "drop", times: 0 });
  await clerk.addMember(team.clerkId, { userId: member.id });
  const outside = newAddress();
  await clerk.invite(team.clerkId, outside);
  const address = member.emailAddresses[0]?.emailAddress ?? "";
  const fine = newAddresses(4);

  const { invitations, seats } = await invite(clients, team, [
    ...fine,
    { email: newAddress(), role: "org:owner" },
    address,
    outside,
  ]);
  await clerk.control.removePolicy(lost);
  assert.deepEqual(
    invitations.slice(0, 4).map(({ email, outcome }) => [email, outcome]),
    fine.map((email) => [email, "invited"]),
  );
  assert.deepEqual(invitations.slice(4).map(({ outcome }) => outcome), [
    "refused",
    "already_member",
    // Just now, as far as anybody can tell: it is ours as well as the other's.
    "invited",
  ]);
  assert.deepEqual(invitations[4]?.reason?.code, "resource_not_found");
  assert.match(invitations[4]?.reason?.message ?? "", /role/);
  assert.equal(seats.seatsUsed, 1 + 4 + 1);
  assert.deepEqual((await inClerk(clients, team)).invited, [...fine, outside].sort());
  assert.equal((await numbersOf(sql, team)).invitations, 5);
});

Deno.test("an admin whom Clerk has demoted invites nobody", async () => {
  const team = await createTeam(clients, 9);
  const { publicUserData } = await clerk.addMember(team.clerkId, { role: "org:admin" });
  await settled(clients, team.clerkId);
  await clerk.client.organizations.updateOrganizationMembership({
    organizationId: team.clerkId,
    userId: team.adminId,
    role: "org:member",
  });
  const { invitations } = await invite(clients, team, newAddresses(1));
  assert.deepEqual(
    invitations.map(({ outcome, reason }) => [outcome, reason?.code]),
    [["refused", "missing_organization_permission"]],
  );
  const { members } = await assertAgreement(clients, team);
  assert.deepEqual(members, [team.adminId, publicUserData.userId].sort());
});

Deno.test("a limit that has not reached Clerk is pushed, and everybody is invited", async () => {
  const team = await createOrganization(clients);
  // The limit of its first moments, 1: of the seats that are granted now, nobody tells Clerk.
  await limitPushed(clients, team);
  await grantSeats(clients, team, 12);
  const { invitations } = await invite(clients, team, newAddresses(11));
  assert.deepEqual(new Set(invitations.map(({ outcome }) => outcome)), new Set(["invited"]));
  await assertAgreement(clients, team);
});

Deno.test("a limit of Clerk's that is lower than ours gives the seats back", async () => {
  const team = await createTeam(clients, 9);
  await inviteOne(clients, team);
  await clerk.client.organizations.updateOrganization(team.clerkId, { maxAllowedMemberships: 3 });
  await settled(clients, team.clerkId);
  const { invitations } = await invite(clients, team, newAddresses(3));
  const outcomes = invitations.map(({ outcome, reason }) => `${outcome} ${reason?.code ?? ""}`);
  assert.deepEqual(outcomes.sort(), [
    "invited ",
    "refused organization_membership_quota_exceeded",
    "refused organization_membership_quota_exceeded",
  ]);
  await assertAgreement(clients, team);
});

Deno.test("at full, the last invitation can always be accepted", async () => {
  const team = await createTeam(clients, 4);
  await addMembers(clients, team, 1);
  await addInvitations(clients, team, 1);
  const email = newAddress();
  await inviteOne(clients, team, email);
  assertRefused(await askToInvite(clients, team, [newAddress()]), 409, "seats_full");
  const { data } = await clerk.client.organizations.getOrganizationInvitationList({
    organizationId: team.clerkId,
    status: ["pending"],
  });
  for (const { id } of data) await clerk.acceptInvitation(id);
  const { members, invited } = await assertAgreement(clients, team);
  assert.deepEqual([members.length, invited.length], [4, 0]);
});
