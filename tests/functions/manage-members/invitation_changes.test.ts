import assert from "node:assert/strict";
import type { FaultInput } from "../../../local/emulation/faults.ts";
import { stackEnv } from "../../stack.ts";
import { type Answer, assertRefused } from "../api.ts";
import { connect } from "../clients.ts";
import {
  addInvitations,
  type Organization,
  settled,
  withoutClerkWebhooks,
} from "../organizations.ts";
import { addFault, OUTAGES } from "../requests.ts";
import { numbersOf, only } from "../rows.ts";
import { syncUntilAgreed } from "../sync-seats/sync.ts";
import {
  askToInvite,
  assertAgreement,
  callMembers,
  createTeam,
  inClerk,
  type Invited,
  inviteOne,
  lapseHolds,
  newAddress,
  type Seats,
} from "./team.ts";

const clients = connect(stackEnv());
const { clerk, sql } = clients;

interface Row {
  readonly id: string;
  readonly clerkId: string;
  readonly email: string;
  readonly status: string;
  readonly holdsSeat: boolean;
}

/** The invitations of a team, oldest first. */
async function rowsOf({ id }: Organization): Promise<readonly Row[]> {
  return await sql<Row[]>`
    select id, clerk_invitation_id as "clerkId", email, status, holds_seat as "holdsSeat"
    from public.organization_invitations where organization_id = ${id} order by created_at`;
}

async function rowOf(team: Organization): Promise<Row> {
  return only(await rowsOf(team));
}

/** A team of two that is full: its owner, and one who is invited. */
async function createInvited(seats = 2): Promise<{ team: Organization; row: Row }> {
  const team = await createTeam(clients, seats);
  await inviteOne(clients, team);
  await settled(clients, team.clerkId);
  return { team, row: await rowOf(team) };
}

function revoke(team: Organization, id: string): Promise<Answer<{ status: string; seats: Seats }>> {
  return callMembers(clients, team, "DELETE", `/invitations/${id}`);
}

function resend(
  team: Organization,
  id: string,
): Promise<Answer<{ invitation: Invited; seats: Seats }>> {
  return callMembers(clients, team, "POST", `/invitations/${id}/resend`);
}

/** What Clerk says of an invitation. */
async function statusInClerk({ clerkId }: Organization, id: string): Promise<string | undefined> {
  const { status } = await clerk.client.organizations.getOrganizationInvitation({
    organizationId: clerkId,
    invitationId: id,
  });
  return status;
}

function revoking({ clerkId }: Organization): FaultInput["match"] {
  return { method: "POST", path: `^/v1/organizations/${clerkId}/invitations/[^/]+/revoke$` };
}

function creating({ clerkId }: Organization): FaultInput["match"] {
  return { method: "POST", path: `^/v1/organizations/${clerkId}/invitations$` };
}

const LIMITED: Omit<FaultInput, "match"> = {
  kind: "fail",
  status: 429,
  body: { errors: [{ code: "too_many_requests", message: "Too many requests" }] },
  headers: { "retry-after": "1200" },
};

Deno.test("an invitation is revoked, and its seat is free at once", async () => {
  const { team, row } = await createInvited();
  await withoutClerkWebhooks(clients, team, async () => {
    const { status, body } = await revoke(team, row.id);
    assert.equal(status, 200);
    assert.equal(body.status, "revoked");
    assert.deepEqual(body.seats, { seatLimit: 2, seatsUsed: 1, available: 1 });
    assert.equal(await statusInClerk(team, row.clerkId), "revoked");
    await inviteOne(clients, team);
  });
  await assertAgreement(clients, team);
});

Deno.test("revoking twice is as good as once", async () => {
  const { team, row } = await createInvited();
  const answers = await Promise.all([revoke(team, row.id), revoke(team, row.id)]);
  answers.push(await revoke(team, row.id));
  assert.deepEqual(answers.map(({ status, body }) => [status, body.status]), [
    [200, "revoked"],
    [200, "revoked"],
    [200, "revoked"],
  ]);
  await assertAgreement(clients, team);
});

Deno.test("what has ended in Clerk unheard is recorded as it was", async () => {
  for (const how of ["revoked", "expired"] as const) {
    const { team, row } = await createInvited();
    await withoutClerkWebhooks(clients, team, async () => {
      if (how === "expired") return await clerk.expireInvitation(row.clerkId);
      await clerk.client.organizations.revokeOrganizationInvitation({
        organizationId: team.clerkId,
        invitationId: row.clerkId,
      });
    });
    const { status, body } = await revoke(team, row.id);
    assert.deepEqual([status, body.status], [200, how]);
    assert.equal(body.seats.seatsUsed, 1);
    await assertAgreement(clients, team);
  }
});

Deno.test("an invitation that was accepted unheard is not revoked, and keeps its seat", async () => {
  const { team, row } = await createInvited();
  await withoutClerkWebhooks(clients, team, () => clerk.acceptInvitation(row.clerkId));
  for (const call of [revoke, resend]) {
    const details = assertRefused(await call(team, row.id), 409, "invitation_closed");
    assert.match(String(details["status"]), /accepted|joined/);
    const { used } = await numbersOf(sql, team);
    assert.equal(used, 2);
  }
  await syncUntilAgreed(clients, team);
  assert.equal((await assertAgreement(clients, team)).members.length, 2);
});

Deno.test("an invitation that led to a member is closed", async () => {
  const { team, row } = await createInvited();
  await clerk.acceptInvitation(row.clerkId);
  await settled(clients, team.clerkId);
  assertRefused(await revoke(team, row.id), 409, "invitation_closed");
  assertRefused(await resend(team, row.id), 409, "invitation_closed");
  await assertAgreement(clients, team);
});

Deno.test("an invitation that is being sent can't be changed yet", async () => {
  const { team } = await createInvited(9);
  const slow = await addFault(clerk.control, {
    match: creating(team),
    kind: "delay",
    delayMs: 60_000,
  });
  const inviting = askToInvite(clients, team, [newAddress()]);
  await slow.struck(1);
  const { id } = only((await rowsOf(team)).filter(({ status }) => status === "reserved"));
  for (const call of [revoke, resend]) {
    const answer = await call(team, id);
    assertRefused(answer, 409, "invitation_in_progress");
    assert.equal(answer.headers.get("retry-after"), "30");
  }
  await slow.remove();
  assert.equal((await inviting).status, 200);
  await assertAgreement(clients, team);
});

for (const [what, fault] of OUTAGES) {
  Deno.test(`when Clerk ${what}, a revocation is answered as Clerk has it`, async () => {
    const { team, row } = await createInvited();
    const added = await addFault(clerk.control, { match: revoking(team), ...fault });
    const answer = await withoutClerkWebhooks(clients, team, () => revoke(team, row.id));
    await added.remove();
    if (await statusInClerk(team, row.clerkId) === "revoked") {
      assert.equal(answer.status, 200);
      assert.equal(answer.body.seats.seatsUsed, 1);
    } else {
      assertRefused(answer, 503, "clerk_unavailable");
      assert.equal((await numbersOf(sql, team)).used, 2);
    }
    await assertAgreement(clients, team);
  });

  Deno.test(`when Clerk ${what}, an invitation is sent again all the same or not at all`, async () => {
    for (const match of [revoking, creating]) {
      const { team, row } = await createInvited();
      const added = await addFault(clerk.control, { match: match(team), ...fault });
      const answer = await withoutClerkWebhooks(clients, team, () => resend(team, row.id));
      await added.remove();
      if (answer.status === 200) {
        assert.deepEqual((await assertAgreement(clients, team)).invited, [row.email]);
        continue;
      }
      assertRefused(answer, 503, "clerk_unavailable");
      assert.equal((await numbersOf(sql, team)).used, 2);
      await lapseHolds(clients, team);
      await syncUntilAgreed(clients, team);
      await assertAgreement(clients, team);
      const again = await resend(team, (await rowsOf(team)).findLast(isAlive)?.id ?? row.id);
      assert.equal(again.status, 200, JSON.stringify(again.body));
      assert.deepEqual((await assertAgreement(clients, team)).invited, [row.email]);
    }
  });
}

function isAlive({ status }: Row): boolean {
  return status === "pending";
}

Deno.test("an invitation is sent again on its own seat, and the old one ends", async () => {
  const { team, row } = await createInvited();
  const { status, body } = await resend(team, row.id);
  assert.equal(status, 200, JSON.stringify(body));
  assert.deepEqual(
    { ...body.invitation, invitationId: null },
    { email: row.email, role: "org:member", outcome: "invited", invitationId: null },
  );
  assert.notEqual(body.invitation.invitationId, row.id);
  assert.deepEqual(body.seats, { seatLimit: 2, seatsUsed: 2, available: 0 });
  assert.equal(await statusInClerk(team, row.clerkId), "revoked");
  assert.deepEqual((await assertAgreement(clients, team)).invited, [row.email]);

  const fresh = only((await rowsOf(team)).filter(isAlive));
  assert.equal(fresh.id, body.invitation.invitationId);
  await clerk.acceptInvitation(fresh.clerkId);
  assert.equal((await assertAgreement(clients, team)).members.length, 2);
});

Deno.test("one that has ended is sent again on a seat that is free, and only then", async () => {
  const { team, row } = await createInvited();
  assert.equal((await revoke(team, row.id)).status, 200);
  assert.equal((await resend(team, row.id)).status, 200);
  const fresh = only((await rowsOf(team)).filter(isAlive));
  assertRefused(await resend(team, row.id), 409, "already_invited");

  assert.equal((await revoke(team, fresh.id)).status, 200);
  await addInvitations(clients, team, 1);
  assertRefused(await resend(team, row.id), 409, "seats_full");
  await assertAgreement(clients, team);
});

Deno.test("what Clerk takes no more of now leaves the old invitation as it is", async () => {
  const { team, row } = await createInvited();
  const limited = await addFault(clerk.control, { match: revoking(team), ...LIMITED, times: 0 });
  for (const call of [revoke, resend]) {
    const answer = await call(team, row.id);
    assertRefused(answer, 503, "clerk_unavailable");
    assert.equal(answer.headers.get("retry-after"), "1200");
    assert.deepEqual((await assertAgreement(clients, team)).invited, [row.email]);
  }
  await limited.remove();
});

Deno.test("whom Clerk does not invite anew gives the seat back", async () => {
  const { team, row } = await createInvited();
  const refusing = await addFault(clerk.control, {
    match: creating(team),
    kind: "fail",
    status: 422,
    body: { errors: [{ code: "form_param_value_invalid", message: "is invalid" }] },
  });
  const details = assertRefused(await resend(team, row.id), 409, "clerk_refused");
  assert.equal((details["reason"] as { code: string }).code, "form_param_value_invalid");
  await refusing.remove();
  assert.deepEqual((await assertAgreement(clients, team)).invited, []);
});

Deno.test("of two who send it again at the same moment, one seat is taken", async () => {
  const { team, row } = await createInvited();
  const answers = await Promise.all([resend(team, row.id), resend(team, row.id)]);
  assert.ok(answers.some(({ status }) => status === 200), JSON.stringify(answers));
  for (const { status } of answers) assert.ok(status === 200 || status === 409, String(status));
  await lapseHolds(clients, team);
  await syncUntilAgreed(clients, team);
  assert.deepEqual((await assertAgreement(clients, team)).invited, [row.email]);
});

Deno.test("an invitation whose sending again was cut off can be sent again", async () => {
  const { team, row } = await createInvited();
  const lost = await addFault(clerk.control, {
    match: { path: `^/v1/organizations/${team.clerkId}/invitations/` },
    kind: "drop",
    times: 0,
  });
  assertRefused(await resend(team, row.id), 503, "clerk_unavailable");
  const answer = await resend(team, row.id);
  assertRefused(answer, 409, "invitation_in_progress");
  await lost.remove();
  assert.deepEqual((await inClerk(clients, team)).invited, [row.email]);
  assert.equal((await numbersOf(sql, team)).used, 2);

  await lapseHolds(clients, team);
  await syncUntilAgreed(clients, team);
  await assertAgreement(clients, team);
  assert.equal((await resend(team, row.id)).status, 200);
  assert.deepEqual((await assertAgreement(clients, team)).invited, [row.email]);
});
