import assert from "node:assert/strict";
import { startStack } from "../../../local/stack.ts";
import { type Answer, assertRefused } from "../api.ts";
import { connect } from "../clients.ts";
import { addMembers, type Organization } from "../organizations.ts";
import { addFault } from "../requests.ts";
import { numbersOf } from "../rows.ts";
import { limitPushed } from "../sync-seats/sync.ts";
import {
  askToInvite,
  assertAgreement,
  callMembers,
  createTeam,
  inClerk,
  invite,
  inviteOne,
  newAddress,
  type Seats,
} from "./team.ts";

const AUDITOR = "org:auditor";

// Which roles take no seat is one setting for all organizations.
const stack = await startStack({ dataDir: null, ports: "free" });
const clients = connect(stack.env);
const { clerk, sql } = clients;
await sql`update private.settings set seatless_roles = ${`{${AUDITOR}}`}::text::text[]`;
Deno.test.afterAll(async () => {
  await sql.end();
  await stack.stop();
});

interface Changed {
  readonly member: { clerkUserId: string; role: string; status: string };
  readonly seats: Seats;
}

function change(team: Organization, userId: string, role: string): Promise<Answer<Changed>> {
  return callMembers(clients, team, "PATCH", `/members/${userId}`, { body: { role } });
}

/** A team of two that is full, and the one who is not its owner. */
async function createPair(): Promise<{ team: Organization; userId: string }> {
  const team = await createTeam(clients, 2);
  const [userId = ""] = await addMembers(clients, team, 1);
  return { team, userId };
}

/** The same, where the other one is an auditor and takes no seat. */
async function createAudited(): Promise<{ team: Organization; userId: string }> {
  const { team, userId } = await createPair();
  const { status, body } = await change(team, userId, AUDITOR);
  assert.equal(status, 200, JSON.stringify(body));
  await limitPushed(clients, team);
  return { team, userId };
}

/** Asserts that Clerk and Postgres have the same people, and this many seats are taken. */
async function assertSeated(team: Organization, used: number, people: number): Promise<void> {
  await limitPushed(clients, team);
  const { members, invited } = await inClerk(clients, team);
  assert.equal(members.length + invited.length, people);
  const [row] = await sql`
    select seats_used as used, over_capacity as over,
      (select count(*) from public.organization_members as m
       where m.organization_id = o.id and m.status = 'active')::integer
      + (select count(*) from public.organization_invitations as i
         where i.organization_id = o.id and i.status in ('reserved', 'pending', 'accepted'))::integer as people
    from public.organizations as o where id = ${team.id}`;
  assert.deepEqual({ ...row }, { used, over: false, people });
}

Deno.test("who becomes an auditor frees a seat, which somebody else can take", async () => {
  const { team, userId } = await createPair();
  assertRefused(await askToInvite(clients, team, [newAddress()]), 409, "seats_full");

  const { status, body } = await change(team, userId, AUDITOR);

  assert.equal(status, 200, JSON.stringify(body));
  assert.equal(body.member.role, AUDITOR);
  assert.deepEqual(body.seats, { seatLimit: 2, seatsUsed: 1, available: 1 });
  await limitPushed(clients, team);
  await inviteOne(clients, team);
  await assertSeated(team, 2, 3);
});

Deno.test("an auditor who becomes a member takes a seat, and is refused without one", async () => {
  const { team, userId } = await createAudited();
  const { status, body } = await change(team, userId, "org:member");
  assert.equal(status, 200, JSON.stringify(body));
  assert.deepEqual(body.seats, { seatLimit: 2, seatsUsed: 2, available: 0 });
  await assertAgreement(clients, team);

  assert.equal((await change(team, userId, AUDITOR)).status, 200);
  await limitPushed(clients, team);
  await inviteOne(clients, team);
  const details = assertRefused(await change(team, userId, "org:member"), 409, "seats_full");
  assert.deepEqual([details["seatLimit"], details["seatsUsed"]], [2, 2]);
  await assertSeated(team, 2, 3);
});

Deno.test("of an auditor's promotion that Clerk refuses, the seat is back", async () => {
  const { team, userId } = await createAudited();
  const fault = await addFault(clerk.control, {
    match: { method: "PATCH", path: `^/v1/organizations/${team.clerkId}/memberships/` },
    kind: "fail",
    status: 422,
    body: { errors: [{ code: "not_allowed", message: "Not allowed" }] },
  });
  assertRefused(await change(team, userId, "org:member"), 409, "clerk_refused");
  await fault.remove();
  await assertSeated(team, 1, 2);
});

Deno.test("an auditor's promotion that Clerk may still be at, when it takes no more, keeps the seat", async () => {
  const { team, userId } = await createAudited();
  const match = { method: "PATCH", path: `^/v1/organizations/${team.clerkId}/memberships/` };
  const faults = [
    await addFault(clerk.control, { match, kind: "fail", status: 504 }),
    await addFault(clerk.control, { match, kind: "fail", status: 429 }),
  ];
  assertRefused(await change(team, userId, "org:member"), 503, "clerk_unavailable");
  for (const fault of faults) {
    assert.equal(await fault.hits(), 1);
    await fault.remove();
  }
  assert.equal((await numbersOf(sql, team)).used, 2);
});

Deno.test("a full organization can invite auditors, and nobody else", async () => {
  const { team } = await createPair();
  const { invitations: [auditor], seats } = await invite(clients, team, [
    { email: newAddress(), role: AUDITOR },
  ]);
  assert.equal(auditor?.outcome, "invited", JSON.stringify(auditor));
  assert.deepEqual(seats, { seatLimit: 2, seatsUsed: 2, available: 0 });
  assertRefused(await askToInvite(clients, team, [newAddress()]), 409, "seats_full");
  const mixed = [{ email: newAddress(), role: AUDITOR }, newAddress()];
  assertRefused(await askToInvite(clients, team, mixed), 409, "seats_full");
  const partial = await invite(clients, team, mixed, "?partial=true");
  assert.deepEqual(partial.invitations.map(({ outcome }) => outcome), ["invited", "no_seat"]);
  await assertSeated(team, 2, 4);

  const [accepted] = await sql<{ id: string }[]>`
    select clerk_invitation_id as id from public.organization_invitations
    where organization_id = ${team.id} and status = 'pending' order by created_at limit 1`;
  await clerk.acceptInvitation(accepted?.id ?? "");
  await clerk.control.settle({ contains: team.clerkId });
  await assertSeated(team, 2, 4);
});

Deno.test("of two auditors who are promoted to the last seat at once, one is", async () => {
  const team = await createTeam(clients, 3);
  const userIds = await addMembers(clients, team, 2);
  for (const userId of userIds) assert.equal((await change(team, userId, AUDITOR)).status, 200);
  await limitPushed(clients, team);
  await inviteOne(clients, team);
  const answers = await Promise.all(userIds.map((userId) => change(team, userId, "org:member")));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409]);
  const refused = answers.find(({ status }) => status === 409);
  assert(refused !== undefined);
  assertRefused(refused, 409, "seats_full");
  await assertSeated(team, 3, 4);
});
