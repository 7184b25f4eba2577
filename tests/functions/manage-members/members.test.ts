import assert from "node:assert/strict";
import type { FaultInput } from "../../../local/emulation/faults.ts";
import { stackEnv } from "../../stack.ts";
import { type Answer, assertRefused } from "../api.ts";
import { connect } from "../clients.ts";
import {
  addMembers,
  leaveUnheard,
  type Organization,
  withoutClerkWebhooks,
} from "../organizations.ts";
import { addFault, HOLDUP_MS, OUTAGES } from "../requests.ts";
import { numbersOf, only } from "../rows.ts";
import { syncUntilAgreed } from "../sync-seats/sync.ts";
import {
  assertAgreement,
  callMembers,
  createTeam,
  inClerk,
  inPostgres,
  inviteOne,
  lapseHolds,
  type Seats,
} from "./team.ts";

const clients = connect(stackEnv());
const { clerk, sql } = clients;
const { organizations } = clerk.client;

interface Changed {
  readonly member: { clerkUserId: string; role: string; status: string };
  readonly seats: Seats;
}

/** A team of two that is full, and the one who is not its owner. */
async function createPair(): Promise<{ team: Organization; userId: string }> {
  const team = await createTeam(clients, 2);
  const [userId = ""] = await addMembers(clients, team, 1);
  return { team, userId };
}

function remove(team: Organization, userId: string): Promise<Answer<Changed>> {
  return callMembers(clients, team, "DELETE", `/members/${userId}`);
}

function change(team: Organization, userId: string, role: string): Promise<Answer<Changed>> {
  return callMembers(clients, team, "PATCH", `/members/${userId}`, { body: { role } });
}

/** A member's role as Clerk has it; null for none. */
async function roleInClerk({ clerkId }: Organization, userId: string): Promise<string | null> {
  const { data: [membership] } = await organizations.getOrganizationMembershipList({
    organizationId: clerkId,
    userId: [userId],
  });
  return membership?.role ?? null;
}

async function roleHere({ id }: Organization, userId: string): Promise<string | null> {
  const [row] = await sql<{ role: string }[]>`
    select role from public.organization_members
    where organization_id = ${id} and clerk_user_id = ${userId} and status = 'active'`;
  return row?.role ?? null;
}

function changing({ clerkId }: Organization, method: "PATCH" | "DELETE"): FaultInput["match"] {
  return { method, path: `^/v1/organizations/${clerkId}/memberships/` };
}

Deno.test("a member is removed, and the seat is free at once", async () => {
  const { team, userId } = await createPair();
  await withoutClerkWebhooks(clients, team, async () => {
    const { status, body } = await remove(team, userId);
    assert.equal(status, 200, JSON.stringify(body));
    assert.deepEqual([body.member.clerkUserId, body.member.status], [userId, "removed"]);
    assert.deepEqual(body.seats, { seatLimit: 2, seatsUsed: 1, available: 1 });
    await inviteOne(clients, team);
  });
  assert.deepEqual((await assertAgreement(clients, team)).members, [team.adminId]);
  assertRefused(await remove(team, userId), 404, "member_not_found");
});

Deno.test("of two who remove a member at the same moment, one does or both have", async () => {
  const { team, userId } = await createPair();
  const answers = await Promise.all([remove(team, userId), remove(team, userId)]);
  assert.ok(answers.some(({ status }) => status === 200));
  for (const { status } of answers) assert.ok([200, 404, 409].includes(status), String(status));
  assert.deepEqual((await assertAgreement(clients, team)).members, [team.adminId]);
});

Deno.test("a member gets another role", async () => {
  const { team, userId } = await createPair();
  await withoutClerkWebhooks(clients, team, async () => {
    const { status, body } = await change(team, userId, "org:admin");
    assert.equal(status, 200, JSON.stringify(body));
    assert.equal(body.member.role, "org:admin");
    assert.equal(await roleHere(team, userId), "org:admin");
  });
  assert.equal(await roleInClerk(team, userId), "org:admin");
  assert.equal((await change(team, userId, "org:admin")).status, 200);
  await assertAgreement(clients, team);
});

Deno.test("the last admin can be neither removed nor demoted", async () => {
  const { team } = await createPair();
  for (
    const call of [() => remove(team, team.adminId), () => change(team, team.adminId, "org:member")]
  ) {
    assertRefused(await call(), 409, "last_admin");
    assert.equal(await roleInClerk(team, team.adminId), "org:admin");
    await assertAgreement(clients, team);
  }
});

Deno.test("the last admin in Clerk can't go, whatever is thought here", async () => {
  const { team, userId } = await createPair();
  assert.equal((await change(team, userId, "org:admin")).status, 200);
  await withoutClerkWebhooks(clients, team, () =>
    organizations.updateOrganizationMembership({
      organizationId: team.clerkId,
      userId,
      role: "org:member",
    }));
  for (
    const call of [() => remove(team, team.adminId), () => change(team, team.adminId, "org:member")]
  ) {
    assertRefused(await call(), 409, "last_admin");
    assert.equal(await roleHere(team, team.adminId), "org:admin");
  }
  await syncUntilAgreed(clients, team);
  await assertAgreement(clients, team);
});

Deno.test("of two admins who remove each other at the same moment, one stays", async () => {
  for (let round = 0; round < 5; round++) {
    const { team, userId } = await createPair();
    assert.equal((await change(team, userId, "org:admin")).status, 200);
    const answers = await Promise.all([remove(team, userId), remove(team, team.adminId)]);
    assert.ok(answers.filter(({ status }) => status === 200).length <= 1);
    const { members } = await assertAgreement(clients, team);
    assert.ok(members.length >= 1);
    assert.ok(
      (await Promise.all(members.map((one) => roleInClerk(team, one)))).includes("org:admin"),
    );
  }
});

Deno.test("an unknown role is refused, and the old one stays", async () => {
  const { team, userId } = await createPair();
  const details = assertRefused(await change(team, userId, "org:owner"), 409, "clerk_refused");
  assert.equal((details["reason"] as { code: string }).code, "resource_not_found");
  assert.equal(await roleHere(team, userId), "org:member");
  await assertAgreement(clients, team);
});

Deno.test("whom Clerk does not know any more is recorded as removed", async () => {
  for (const [call, status] of [[remove, 200], [change, 404]] as const) {
    const { team, userId } = await createPair();
    await leaveUnheard(clients, team, userId);
    const answer = await call(team, userId, "org:admin");
    assert.equal(answer.status, status, JSON.stringify(answer.body));
    assert.equal((await numbersOf(sql, team)).used, 1);
    await assertAgreement(clients, team);
  }
});

for (const [what, fault] of OUTAGES) {
  Deno.test(`when Clerk ${what} once, a member is removed or changed all the same`, async () => {
    const { team, userId } = await createPair();
    await withoutClerkWebhooks(clients, team, async () => {
      await addFault(clerk.control, { match: changing(team, "PATCH"), ...fault });
      const changed = await change(team, userId, "org:admin");
      assert.equal(changed.status, 200, JSON.stringify(changed.body));
      assert.equal(changed.body.member.role, "org:admin");
      await addFault(clerk.control, { match: changing(team, "DELETE"), ...fault });
      const removed = await remove(team, userId);
      assert.equal(removed.status, 200, JSON.stringify(removed.body));
    });
    assert.deepEqual((await assertAgreement(clients, team)).members, [team.adminId]);
  });
}

Deno.test("while Clerk fails nothing is given up, and a sync settles what is true", async () => {
  for (const method of ["PATCH", "DELETE"] as const) {
    const { team, userId } = await createPair();
    const call = () =>
      method === "DELETE" ? remove(team, userId) : change(team, userId, "org:admin");
    const away = await addFault(clerk.control, {
      match: { path: `^/v1/organizations/${team.clerkId}/memberships` },
      kind: "fail",
      times: 0,
    });
    assertRefused(await call(), 503, "clerk_unavailable");
    await away.remove();
    assert.equal((await numbersOf(sql, team)).used, 2);
    const meanwhile = await call();
    assertRefused(meanwhile, 409, "member_change_in_progress");
    assert.equal(meanwhile.headers.get("retry-after"), "30");

    await lapseHolds(clients, team);
    await syncUntilAgreed(clients, team);
    assert.equal((await assertAgreement(clients, team)).members.length, 2);
    assert.equal((await call()).status, 200);
    await assertAgreement(clients, team);
  }
});

Deno.test("a change that Clerk takes no more of now can be tried again when it says", async () => {
  const { team, userId } = await createPair();
  for (const method of ["PATCH", "DELETE"] as const) {
    const limited = await addFault(clerk.control, {
      match: changing(team, method),
      kind: "fail",
      status: 429,
      body: { errors: [{ code: "too_many_requests", message: "Too many requests" }] },
      headers: { "retry-after": "9" },
    });
    const call = () =>
      method === "DELETE" ? remove(team, userId) : change(team, userId, "org:admin");
    const answer = await call();
    assertRefused(answer, 503, "clerk_unavailable");
    assert.equal(answer.headers.get("retry-after"), "9");
    await limited.remove();
    await assertAgreement(clients, team);
    assert.equal((await call()).status, 200);
  }
  await assertAgreement(clients, team);
});

Deno.test("a member who is being changed can't be changed otherwise", async () => {
  const { team, userId } = await createPair();
  const slow = await addFault(clerk.control, {
    match: changing(team, "DELETE"),
    kind: "delay",
    delayMs: HOLDUP_MS,
  });
  const removing = remove(team, userId);
  await slow.struck(1);
  assertRefused(await change(team, userId, "org:admin"), 409, "member_change_in_progress");
  assert.equal((await inPostgres(clients, team)).members.length, 2);
  await slow.remove();
  assert.equal((await removing).status, 200);
  await assertAgreement(clients, team);
});

Deno.test("an admin who removes himself leaves the others in charge", async () => {
  const { team, userId } = await createPair();
  assert.equal((await change(team, userId, "org:admin")).status, 200);
  assert.equal((await remove(team, team.adminId)).status, 200);
  assert.deepEqual((await inClerk(clients, team)).members, [userId]);
  await assertAgreement(clients, team);
});

Deno.test("the account book tells who removed a member", async () => {
  const { team, userId } = await createPair();
  // Clerk's own event may come first, and is then what is booked.
  await clerk.control.addPolicy({ contains: team.clerkId, kind: "drop", times: 0 });
  await remove(team, userId);
  const { actor, cause } = only(
    await sql<{ actor: string; cause: string }[]>`
      select actor, cause from public.billing_changes
      where organization_id = ${team.id} and kind = 'member' and after ->> 'status' = 'removed'`,
  );
  assert.deepEqual([actor, cause], [team.adminId, "settle_member"]);
});
