import assert from "node:assert/strict";
import type { FaultInput } from "../../../local/emulation/faults.ts";
import { stackEnv } from "../../stack.ts";
import { type Answer, assertRefused } from "../api.ts";
import { connect } from "../clients.ts";
import { type Organization, settled, withoutClerkWebhooks } from "../organizations.ts";
import { addFault, HOLDUP_MS, OUTAGES } from "../requests.ts";
import { numbersOf, only } from "../rows.ts";
import { syncUntilAgreed } from "../sync-seats/sync.ts";
import { createApplicant, type Request, requestToJoin } from "./joining.ts";
import {
  assertAgreement,
  callMembers,
  createTeam,
  grantSeats,
  inClerk,
  inviteOne,
  lapseHolds,
  type Seats,
} from "./team.ts";

const clients = connect(stackEnv());
const { clerk, sql } = clients;
const { organizations } = clerk.client;

interface Approved {
  readonly member: { id: string; clerkUserId: string; email: string; status: string };
  readonly seats: Seats;
}

function approve(team: Organization, { id }: Pick<Request, "id">): Promise<Answer<Approved>> {
  return callMembers(clients, team, "POST", `/join-requests/${id}/approve`);
}

function creating({ clerkId }: Organization): FaultInput["match"] {
  return { method: "POST", path: `^/v1/organizations/${clerkId}/memberships$` };
}

async function statusOf({ id }: Pick<Request, "id">): Promise<string> {
  return only(
    await sql<{ status: string }[]>`
      select status from public.organization_members where id = ${id}`,
  ).status;
}

Deno.test("whoever is approved is a member, here and in Clerk, on one seat", async () => {
  const team = await createTeam(clients, 2);
  const request = await requestToJoin(clients, team);
  await withoutClerkWebhooks(clients, team, async () => {
    const { status, body } = await approve(team, request);
    assert.equal(status, 200, JSON.stringify(body));
    assert.deepEqual(
      [body.member.id, body.member.clerkUserId, body.member.email, body.member.status],
      [request.id, request.userId, request.email, "active"],
    );
    assert.deepEqual(body.seats, { seatLimit: 2, seatsUsed: 2, available: 0 });
    assert((await inClerk(clients, team)).members.includes(request.userId));
  });
  assert.equal((await approve(team, request)).status, 200);
  assert.equal((await assertAgreement(clients, team)).members.length, 2);
});

Deno.test("an approval waits for no webhook and is not undone by a late one", async () => {
  const team = await createTeam(clients, 2);
  const request = await requestToJoin(clients, team);
  assert.equal((await approve(team, request)).status, 200);
  await settled(clients, team.clerkId);
  await clerk.control.replay({ contains: team.clerkId, times: 2, order: "shuffled" });
  assert.equal((await assertAgreement(clients, team)).members.length, 2);
  assert.equal(await statusOf(request), "active");
});

Deno.test("without a seat nobody is approved, and Clerk is not asked", async () => {
  const team = await createTeam(clients, 1);
  const request = await requestToJoin(clients, team);
  const details = assertRefused(await approve(team, request), 409, "seats_full");
  assert.deepEqual([details["needed"], details["missing"]], [1, 1]);
  assert.equal(await statusOf(request), "requested");
  await assertAgreement(clients, team);

  await grantSeats(clients, team, 2);
  assert.equal((await approve(team, request)).status, 200);
  await assertAgreement(clients, team);
});

Deno.test("of 64 who are approved for the last seat at the same moment, one joins", async () => {
  const team = await createTeam(clients, 2);
  const requests = await Promise.all(
    Array.from({ length: 64 }, () => requestToJoin(clients, team)),
  );
  const answers = await Promise.all(requests.map((request) => approve(team, request)));
  assert.equal(answers.filter(({ status }) => status === 200).length, 1);
  for (const answer of answers) {
    if (answer.status !== 200) assertRefused(answer, 409, "seats_full");
  }
  assert.equal((await assertAgreement(clients, team)).members.length, 2);
});

Deno.test("of 16 who approve the same request at the same moment, all succeed, on one seat", async () => {
  const team = await createTeam(clients, 2);
  const request = await requestToJoin(clients, team);
  const answers = await Promise.all(Array.from({ length: 16 }, () => approve(team, request)));
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
  assert.equal((await assertAgreement(clients, team)).members.length, 2);
});

for (const [what, fault] of OUTAGES) {
  Deno.test(`when Clerk ${what} once, the approval succeeds all the same`, async () => {
    const team = await createTeam(clients, 2);
    // The limit is in Clerk before the fault is.
    const first = await requestToJoin(clients, team);
    assert.equal((await approve(team, first)).status, 200);
    await grantSeats(clients, team, 3);
    const request = await requestToJoin(clients, team);
    const added = await addFault(clerk.control, {
      match: { ...creating(team), contains: request.userId },
      ...fault,
    });
    const { status, body } = await withoutClerkWebhooks(
      clients,
      team,
      () => approve(team, request),
    );
    assert.equal(status, 200, JSON.stringify(body));
    assert.equal(await added.hits(), 1);
    await added.remove();
    assert.equal((await assertAgreement(clients, team)).members.length, 3);
  });
}

for (
  const [what, fault, status, code] of [
    [
      "refuses",
      {
        status: 422,
        body: { errors: [{ code: "form_param_value_invalid", message: "is invalid" }] },
      },
      409,
      "clerk_refused",
    ],
    [
      "takes no more",
      {
        status: 429,
        body: { errors: [{ code: "too_many_requests", message: "Too many requests" }] },
        headers: { "retry-after": "30" },
      },
      503,
      "clerk_unavailable",
    ],
  ] as const
) {
  Deno.test(`when Clerk ${what}, the seat is back and the request open again`, async () => {
    const team = await createTeam(clients, 2);
    const request = await requestToJoin(clients, team);
    const added = await addFault(clerk.control, {
      match: creating(team),
      kind: "fail",
      times: 0,
      ...fault,
    });
    assertRefused(await approve(team, request), status, code);
    await added.remove();
    assert.equal(await statusOf(request), "requested");
    assert.equal((await numbersOf(sql, team)).used, 1);
    await assertAgreement(clients, team);
    assert.equal((await approve(team, request)).status, 200);
    await assertAgreement(clients, team);
  });
}

for (
  const [what, status] of [["takes no more", 429], ["refuses", 422]] as const
) {
  Deno.test(`when Clerk may still be at an approval and ${what} when asked again, the seat is held`, async () => {
    const team = await createTeam(clients, 2);
    const request = await requestToJoin(clients, team);
    const faults = [
      await addFault(clerk.control, { match: creating(team), kind: "fail", status: 504 }),
      await addFault(clerk.control, {
        match: creating(team),
        kind: "fail",
        status,
        body: { errors: [{ code: "not_now", message: "Not now" }] },
      }),
    ];
    assertRefused(await approve(team, request), 503, "clerk_unavailable");
    for (const fault of faults) {
      assert.equal(await fault.hits(), 1);
      await fault.remove();
    }
    assert.equal((await numbersOf(sql, team)).used, 2);

    // The first call is worked off at last.
    await clerk.addMember(team.clerkId, { userId: request.userId });
    await assertAgreement(clients, team);
  });
}

Deno.test("of two who approve a request at once, the one whom Clerk refuses frees no seat", async () => {
  const team = await createTeam(clients, 2);
  const request = await requestToJoin(clients, team);
  const slow = await addFault(clerk.control, {
    match: creating(team),
    kind: "delay",
    delayMs: HOLDUP_MS,
  });
  const first = approve(team, request);
  await slow.struck(1);
  const limited = await addFault(clerk.control, {
    match: creating(team),
    kind: "fail",
    status: 429,
  });
  assertRefused(await approve(team, request), 503, "clerk_unavailable");
  await limited.remove();
  assert.equal((await numbersOf(sql, team)).used, 2);

  await slow.remove();
  assert.equal((await first).status, 200);
  await assertAgreement(clients, team);
});

Deno.test("while Clerk fails the seat is held, and a sync opens the request again", async () => {
  const team = await createTeam(clients, 2);
  const request = await requestToJoin(clients, team);
  const away = await addFault(clerk.control, {
    match: { path: `^/v1/organizations/${team.clerkId}/memberships` },
    kind: "fail",
    times: 0,
  });
  assertRefused(await approve(team, request), 503, "clerk_unavailable");
  await away.remove();
  assert.equal((await numbersOf(sql, team)).used, 2);

  await lapseHolds(clients, team);
  const drift = await syncUntilAgreed(clients, team);
  assert.deepEqual(drift.map(({ kind }) => kind), ["approval_released"]);
  assert.equal(await statusOf(request), "requested");
  assert.equal((await approve(team, request)).status, 200);
  await assertAgreement(clients, team);
});

Deno.test("a person whom Clerk has as a member already is adopted", async () => {
  const team = await createTeam(clients, 2);
  const request = await requestToJoin(clients, team);
  await withoutClerkWebhooks(clients, team, async () => {
    await clerk.addMember(team.clerkId, { userId: request.userId });
    assert.equal((await approve(team, request)).status, 200);
  });
  assert.equal((await assertAgreement(clients, team)).members.length, 2);
});

Deno.test("a limit that has not reached Clerk is pushed first", async () => {
  const team = await createTeam(clients, 1);
  await settled(clients, team.clerkId);
  await grantSeats(clients, team, 2);
  const request = await requestToJoin(clients, team);
  const { status, body } = await approve(team, request);
  assert.equal(status, 200, JSON.stringify(body));
  const { maxAllowedMemberships } = await organizations.getOrganization({
    organizationId: team.clerkId,
  });
  assert.equal(maxAllowedMemberships, 2);
  await assertAgreement(clients, team);
});

Deno.test("a person who is deleted in Clerk can't be approved", async () => {
  const team = await createTeam(clients, 2);
  const request = await requestToJoin(clients, team);
  await clerk.client.users.deleteUser(request.userId);
  assertRefused(await approve(team, request), 409, "clerk_refused");
  assert.equal((await numbersOf(sql, team)).used, 1);
  await assertAgreement(clients, team);
});

Deno.test("whoever is invited as well joins on the one seat, and the invitation ends", async () => {
  // With a seat to spare Clerk has room for both; at full it has not.
  for (const seats of [3, 2]) {
    const team = await createTeam(clients, seats);
    const applicant = await createApplicant(clients);
    await inviteOne(clients, team, applicant.email);
    const request = await requestToJoin(clients, team, applicant);
    const { status, body } = await approve(team, request);
    assert.equal(status, 200, JSON.stringify(body));
    assert.equal(body.seats.seatsUsed, 2);
    const { members, invited } = await assertAgreement(clients, team);
    assert.deepEqual([members.length, invited.length], [2, 0]);
  }
});

Deno.test("a left-over invitation that can't be ended now takes no seat", async () => {
  const team = await createTeam(clients, 3);
  const applicant = await createApplicant(clients);
  await inviteOne(clients, team, applicant.email);
  const request = await requestToJoin(clients, team, applicant);
  const failing = await addFault(clerk.control, {
    match: { path: `^/v1/organizations/${team.clerkId}/invitations/` },
    kind: "fail",
    times: 0,
  });
  assert.equal((await approve(team, request)).status, 200);
  await failing.remove();
  const { used, members, invitations } = await numbersOf(sql, team);
  assert.deepEqual({ used, members, invitations }, { used: 2, members: 2, invitations: 0 });
});

Deno.test("the member whose request was approved can be removed at once, and ask again", async () => {
  const team = await createTeam(clients, 2);
  const request = await requestToJoin(clients, team);
  assert.equal((await approve(team, request)).status, 200);
  const removed = await callMembers(clients, team, "DELETE", `/members/${request.userId}`);
  assert.equal(removed.status, 200, JSON.stringify(removed.body));
  assert.deepEqual((await assertAgreement(clients, team)).members, [team.adminId]);
  assertRefused(await approve(team, request), 409, "request_closed");
  const again = await requestToJoin(clients, team, request);
  assert.equal((await approve(team, again)).status, 200);
  assert.equal((await assertAgreement(clients, team)).members.length, 2);
});
