import assert from "node:assert/strict";
import { stackEnv } from "../../stack.ts";
import type { Answer } from "../api.ts";
import { connect } from "../clients.ts";
import { atEach, type Point, pointsOf, watch } from "../killing.ts";
import { addMembers, type Organization, settled, withoutClerkWebhooks } from "../organizations.ts";
import { only } from "../rows.ts";
import { syncUntilAgreed } from "../sync-seats/sync.ts";
import { codeOf, createApplicant, requestToJoin, tryCode } from "./joining.ts";
import { ROUTES } from "./routes.ts";
import {
  askToInvite,
  assertAgreement,
  callMembers,
  createTeam,
  inviteOne,
  lapseHolds,
  newAddresses,
  type Seated,
} from "./team.ts";

const clients = connect(stackEnv());
const { sql } = clients;

/** Seats for everybody, in each of these teams. */
const SEATS = 40;

type Call = (base?: string) => Promise<Answer>;

/** What the process is at when it is killed. */
interface Deed {
  readonly what: string;
  /** As in `ROUTES`, or of no organization. */
  readonly route: string;
  /** Prepares a team for it; resolves to the call. */
  prepare(team: Organization): Promise<Call>;
  /** What stands before, and once it is done: members and invitations. */
  readonly before: readonly [number, number];
  readonly after: readonly [number, number];
  /** What may stand when it is cut off, where that is not one of these or between them. */
  readonly between?: readonly [readonly [number, number], readonly [number, number]];
}

const DEEDS: readonly Deed[] = [
  {
    what: "an invitation of many",
    route: "POST invitations",
    prepare(team) {
      const people = newAddresses(13);
      return Promise.resolve((base) => askToInvite(clients, team, people, "", base));
    },
    before: [1, 0],
    after: [1, 13],
  },
  {
    what: "a sending again",
    route: "POST invitations/:id/resend",
    async prepare(team) {
      const id = await inviteOne(clients, team);
      return (base) => callMembers(clients, team, "POST", `/invitations/${id}/resend`, {}, base);
    },
    before: [1, 1],
    after: [1, 1],
    // The old one is revoked before the new one is made.
    between: [[1, 0], [1, 1]],
  },
  {
    what: "a revocation",
    route: "DELETE invitations/:id",
    async prepare(team) {
      const id = await inviteOne(clients, team);
      return (base) => callMembers(clients, team, "DELETE", `/invitations/${id}`, {}, base);
    },
    before: [1, 1],
    after: [1, 0],
  },
  {
    what: "an approval",
    route: "POST join-requests/:id/approve",
    async prepare(team) {
      const { id } = await requestToJoin(clients, team);
      return (base) => callMembers(clients, team, "POST", `/join-requests/${id}/approve`, {}, base);
    },
    before: [1, 0],
    after: [2, 0],
  },
  {
    what: "a removal",
    route: "DELETE members/:userId",
    async prepare(team) {
      const [userId] = await addMembers(clients, team, 1);
      return (base) => callMembers(clients, team, "DELETE", `/members/${userId}`, {}, base);
    },
    before: [2, 0],
    after: [1, 0],
  },
  {
    what: "a change of role",
    route: "PATCH members/:userId",
    async prepare(team) {
      const [userId] = await addMembers(clients, team, 1);
      const body = { role: "org:admin" };
      return (base) => callMembers(clients, team, "PATCH", `/members/${userId}`, { body }, base);
    },
    before: [2, 0],
    after: [2, 0],
  },
  {
    what: "a rejection",
    route: "POST join-requests/:id/reject",
    async prepare(team) {
      const { id } = await requestToJoin(clients, team);
      return (base) => callMembers(clients, team, "POST", `/join-requests/${id}/reject`, {}, base);
    },
    before: [1, 0],
    after: [1, 0],
  },
  {
    what: "another join code",
    route: "POST join-code",
    prepare: (team) =>
      Promise.resolve((base) => callMembers(clients, team, "POST", "/join-code", {}, base)),
    before: [1, 0],
    after: [1, 0],
  },
  {
    what: "a request to join",
    route: "POST join-requests of no organization",
    async prepare(team) {
      const [applicant, code] = await Promise.all([
        createApplicant(clients),
        codeOf(clients, team),
      ]);
      return (base) => tryCode(clients, applicant, code, base);
    },
    before: [1, 0],
    after: [1, 0],
  },
];

Deno.test("every route that writes is killed below", () => {
  const routes = DEEDS.map(({ route }) => route);
  for (const { method, name } of ROUTES) {
    assert(method === "GET" || routes.includes(`${method} ${name}`), `${method} ${name}`);
  }
});

/**
 * Calls a process of its own, which is killed at a point if one is given; Clerk's webhooks are lost.
 * Resolves to the requests that the process has sent.
 */
function run(team: Organization, call: Call, point?: Point): Promise<readonly string[]> {
  return withoutClerkWebhooks(
    clients,
    team,
    () => watch(clients, { name: "manage-members", call }, point),
  );
}

/** A team whose limit is known in Clerk, and what is to be called for it. */
async function prepared(deed: Deed, seats = SEATS): Promise<{ team: Organization; call: Call }> {
  const team = await createTeam(clients, seats);
  const first = await inviteOne(clients, team);
  await callMembers(clients, team, "DELETE", `/invitations/${first}`);
  const call = await deed.prepare(team);
  await settled(clients, team.clerkId);
  return { team, call };
}

function countsOf({ members, invited }: Seated): readonly [number, number] {
  return [members.length, invited.length];
}

/** Lets the holds lapse and sweeps; asserts that all agree, and that nobody is lost or doubled. */
async function assertHeals(team: Organization): Promise<Seated> {
  await lapseHolds(clients, team);
  await syncUntilAgreed(clients, team);
  const reserved = await sql`
    select id from public.organization_invitations
    where organization_id = ${team.id} and status = 'reserved'`;
  assert.equal(reserved.length, 0);
  return await assertAgreement(clients, team);
}

for (const deed of DEEDS) {
  Deno.test(`killed at any request, ${deed.what}: all agree after one sweep`, async () => {
    const { team, call } = await prepared(deed);
    const requests = await run(team, call);
    assert.deepEqual(countsOf(await assertAgreement(clients, team)), deed.after);

    const killAt = async (point: Point) => {
      const { team, call } = await prepared(deed);
      await run(team, call, point);
      const [members, invited] = countsOf(await assertHeals(team));
      const [least, most] = deed.between ?? [deed.before, deed.after];
      const sorted = (n: 0 | 1) => [least[n], most[n]].sort((x, y) => x - y);
      for (const [n, count] of [[0, members], [1, invited]] as const) {
        const [low = 0, high = 0] = sorted(n);
        assert.ok(count >= low && count <= high, `${members} members, ${invited} invited`);
      }
    };
    await atEach(pointsOf(requests), killAt);
  });
}

Deno.test("500 people are invited, killed at random: all agree after one sweep", async () => {
  const people = newAddresses(500);
  const deed: Deed = {
    what: "500 people",
    route: "POST invitations",
    prepare: (team) => Promise.resolve((base) => askToInvite(clients, team, people, "", base)),
    before: [1, 0],
    after: [1, 500],
  };
  // Ten rounds of five bulks, each with its hold and its record.
  for (let times = 0; times < 4; times++) {
    const point: Point = {
      request: Math.floor(Math.random() * 70),
      verdict: Math.random() < 0.5 ? "hold" : "hold_answer",
    };
    const { team, call } = await prepared(deed, 600);
    await run(team, call, point);
    const { invited } = await assertHeals(team);
    assert.ok(invited.every((email) => people.includes(email)), JSON.stringify(point));

    // Once more, and everybody is invited, once.
    const { status } = await call();
    assert.equal(status, 200);
    assert.deepEqual((await assertAgreement(clients, team)).invited, people.toSorted());
    const { seats } = only(
      await sql<{ seats: number }[]>`
        select seats_used as seats from public.organizations where id = ${team.id}`,
    );
    assert.equal(seats, 501);
  }
});
