import assert from "node:assert/strict";
import type { FaultInput } from "../../../local/emulation/faults.ts";
import { stackEnv } from "../../stack.ts";
import { assertRefused } from "../api.ts";
import { connect } from "../clients.ts";
import { type Organization, settled, withoutClerkWebhooks } from "../organizations.ts";
import { addFault, countRequests, HOLDUP_MS, OUTAGES } from "../requests.ts";
import { closedAddress, withFunction } from "../served_function.ts";
import { syncUntilAgreed } from "../sync-seats/sync.ts";
import {
  askToInvite,
  assertAgreement,
  createTeam,
  inClerk,
  inPostgres,
  invite,
  type Invited,
  inviteOne,
  lapseHolds,
  newAddresses,
} from "./team.ts";

const clients = connect(stackEnv());
const { clerk } = clients;

/** A team whose limit is known in Clerk. */
async function createReadyTeam(seats: number): Promise<Organization> {
  const team = await createTeam(clients, seats);
  await inviteOne(clients, team);
  await settled(clients, team.clerkId);
  return team;
}

function creating({ clerkId }: Organization, way: "bulk" | "single"): FaultInput["match"] {
  const end = way === "bulk" ? "/bulk$" : "$";
  return { method: "POST", path: `^/v1/organizations/${clerkId}/invitations${end}` };
}

function listing({ clerkId }: Organization): FaultInput["match"] {
  return { method: "GET", path: `^/v1/organizations/${clerkId}/invitations$` };
}

function outcomesOf(invitations: readonly Invited[]): string[] {
  return invitations.map(({ outcome }) => outcome);
}

const LIMITED = {
  errors: [{ code: "too_many_requests", message: "Too many requests" }],
};

for (
  const [what, fault] of [
    ...OUTAGES,
    ["fails without being reached", { kind: "fail", status: 502, body: "Bad gateway" }],
    ["asks to wait for a moment", {
      kind: "fail",
      status: 429,
      body: LIMITED,
      headers: { "retry-after": "1" },
    }],
  ] as const
) {
  for (const [way, count] of [["bulk", 8], ["single", 2]] as const) {
    Deno.test(`when Clerk ${what} once, ${count} people are invited all the same`, async () => {
      const team = await createReadyTeam(20);
      const people = newAddresses(count);
      const added = await addFault(clerk.control, { match: creating(team, way), ...fault });
      // Nothing but the answers tells what became of it.
      const { invitations } = await withoutClerkWebhooks(
        clients,
        team,
        () => invite(clients, team, people),
      );
      assert.equal(await added.hits(), 1);
      assert.deepEqual(outcomesOf(invitations), people.map(() => "invited"));
      assert.equal((await assertAgreement(clients, team)).invited.length, count + 1);
    });
  }
}

Deno.test("a call that takes too long is looked up, and what it did is adopted", async () => {
  const team = await createReadyTeam(20);
  const people = newAddresses(6);
  const slow = await addFault(clerk.control, {
    match: creating(team, "bulk"),
    kind: "delay",
    delayMs: HOLDUP_MS,
  });
  const list = await countRequests(clerk.control, listing(team));
  const inviting = invite(clients, team, people);
  // Given up by now; only then does it come to its end.
  await list.struck(1);
  await Promise.all([slow.remove(), list.remove()]);
  const { invitations } = await inviting;
  assert.deepEqual(outcomesOf(invitations), people.map(() => "invited"));
  assert.equal((await assertAgreement(clients, team)).invited.length, 7);
});

for (const [way, count] of [["bulk", 25], ["single", 4]] as const) {
  Deno.test(`what Clerk takes no more of now (${way}) gives its seats back, and when to come again`, async () => {
    const team = await createReadyTeam(40);
    const people = newAddresses(count);
    const limited = await addFault(clerk.control, {
      match: creating(team, way),
      kind: "fail",
      status: 429,
      body: LIMITED,
      headers: { "retry-after": "1200" },
      times: 0,
    });
    const { invitations, seats } = await invite(clients, team, people);
    // It was told so once by each of those under way, and asked nothing more.
    assert.ok(await limited.hits() <= 5);
    for (const { outcome, reason, retryAfter } of invitations) {
      assert.deepEqual([outcome, reason?.code], ["refused", "too_many_requests"]);
      assert.ok(retryAfter !== undefined && retryAfter > 1190 && retryAfter <= 1200);
    }
    assert.equal(seats.seatsUsed, 2);
    await limited.remove();
    await assertAgreement(clients, team);
  });
}

Deno.test("when even the list can't be had, the seats stay held until a sync settles them", async () => {
  const team = await createReadyTeam(20);
  const people = newAddresses(6);
  const lost = await addFault(clerk.control, {
    match: creating(team, "bulk"),
    kind: "lose_answer",
  });
  const list = await addFault(clerk.control, { match: listing(team), kind: "fail", times: 0 });
  await withoutClerkWebhooks(clients, team, async () => {
    const answer = await askToInvite(clients, team, people);
    const details = assertRefused(answer, 503, "clerk_unavailable");
    assert.match(answer.headers.get("retry-after") ?? "", /^\d+$/);
    assert.deepEqual(
      outcomesOf(details["invitations"] as Invited[]),
      people.map(() => "unknown"),
    );
  });
  await Promise.all([lost.remove(), list.remove()]);
  assert.equal((await inPostgres(clients, team)).invited.length, 7);

  // Nobody takes a second seat meanwhile.
  const { invitations } = await invite(clients, team, people);
  assert.deepEqual(outcomesOf(invitations), people.map(() => "already_invited"));

  await lapseHolds(clients, team);
  const drift = await syncUntilAgreed(clients, team);
  assert.deepEqual(new Set(drift.map(({ kind }) => kind)), new Set(["reservation_adopted"]));
  assert.equal((await assertAgreement(clients, team)).invited.length, 7);
});

Deno.test("while Clerk fails, seats are given back or held, and free after a sync", async () => {
  const team = await createReadyTeam(200);
  const people = newAddresses(150);
  const away = await addFault(clerk.control, {
    match: { path: `^/v1/organizations/${team.clerkId}/invitations` },
    kind: "fail",
    status: 503,
    times: 0,
  });
  const answer = await askToInvite(clients, team, people);
  const details = assertRefused(answer, 503, "clerk_unavailable");
  const outcomes = outcomesOf(details["invitations"] as Invited[]);
  assert.deepEqual(new Set(outcomes), new Set(["unknown", "refused"]));
  // Five calls were under way; nobody else was asked for.
  assert.equal(outcomes.filter((outcome) => outcome === "unknown").length, 50);
  assert.equal(await away.hits(), 6);
  await away.remove();
  assert.equal((await inPostgres(clients, team)).invited.length, 51);

  await lapseHolds(clients, team);
  await syncUntilAgreed(clients, team);
  assert.equal((await assertAgreement(clients, team)).invited.length, 1);
});

Deno.test("when Clerk may still be at an invitation and refuses it when asked again, the seat is held", async () => {
  const team = await createReadyTeam(3);
  const [email = "", other = ""] = newAddresses(2);
  const match = creating(team, "single");
  const faults = [
    await addFault(clerk.control, { match, kind: "fail", status: 504 }),
    await addFault(clerk.control, {
      match,
      kind: "fail",
      status: 422,
      body: { errors: [{ code: "not_now", message: "Not now" }] },
    }),
  ];
  assertRefused(await askToInvite(clients, team, [email]), 503, "clerk_unavailable");
  for (const fault of faults) {
    assert.equal(await fault.hits(), 1);
    await fault.remove();
  }
  assertRefused(await askToInvite(clients, team, [other]), 409, "seats_full");

  // The first call is worked off at last.
  await clerk.invite(team.clerkId, email);
  assert((await assertAgreement(clients, team)).invited.includes(email));
});

Deno.test("while Clerk invites nobody but shows its list, it is not asked for ever", async () => {
  const team = await createReadyTeam(200);
  const failing = await addFault(clerk.control, {
    match: { method: "POST", path: `^/v1/organizations/${team.clerkId}/invitations` },
    kind: "fail",
    times: 0,
  });
  assertRefused(await askToInvite(clients, team, newAddresses(150)), 503, "clerk_unavailable");
  assert.ok(await failing.hits() < 20);
  await failing.remove();
  await lapseHolds(clients, team);
  await syncUntilAgreed(clients, team);
  await assertAgreement(clients, team);
});

Deno.test("while the database is away Clerk is not asked", async () => {
  const team = await createReadyTeam(9);
  const requests = await countRequests(clerk.control, {
    contains: team.clerkId,
    method: "POST",
  });
  await withFunction(
    clients,
    "manage-members",
    { SUPABASE_URL: closedAddress() },
    async ({ base }) => {
      const answer = await askToInvite(clients, team, newAddresses(2), "", base);
      assertRefused(answer, 503, "database_unavailable");
    },
  );
  assert.equal(await requests.hits(), 0);
  await requests.remove();
});

Deno.test("while Clerk can't be reached nobody is invited, and a sync frees the seats", async () => {
  const team = await createReadyTeam(9);
  await withFunction(
    clients,
    "manage-members",
    { CLERK_API_URL: closedAddress() },
    async ({ base }) => {
      const answer = await askToInvite(clients, team, newAddresses(2), "", base);
      assertRefused(answer, 503, "clerk_unavailable");
    },
  );
  assert.equal((await inClerk(clients, team)).invited.length, 1);
  await lapseHolds(clients, team);
  await syncUntilAgreed(clients, team);
  assert.equal((await assertAgreement(clients, team)).invited.length, 1);
});

Deno.test("a seat that lapsed before Clerk answered and went to somebody else is taken back", async () => {
  const team = await createReadyTeam(3);
  const [late = "", quick = ""] = newAddresses(2);
  const slow = await addFault(clerk.control, {
    match: { ...creating(team, "single"), contains: late },
    kind: "delay",
    delayMs: HOLDUP_MS,
  });
  const answers = await withoutClerkWebhooks(clients, team, async () => {
    const inviting = askToInvite(clients, team, [late]);
    await slow.struck(1);
    await lapseHolds(clients, team);
    await syncUntilAgreed(clients, team);
    const second = await invite(clients, team, [quick]);
    assert.deepEqual(outcomesOf(second.invitations), ["invited"]);
    // Clerk's own limit would refuse as well; here it has not heard of it.
    await clerk.client.organizations.updateOrganization(team.clerkId, {
      maxAllowedMemberships: 9,
    });
    await slow.remove();
    return await inviting;
  });
  assert.equal(answers.status, 200);
  assert.deepEqual(outcomesOf(answers.body.invitations), ["no_seat"]);
  const { invited } = await assertAgreement(clients, team);
  assert(invited.includes(quick) && !invited.includes(late));
});
