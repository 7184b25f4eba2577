import assert from "node:assert/strict";
import { approveMember } from "../database/commands.ts";
import { asRefusal, withConnections } from "../database/connection.ts";
import { addRequests, makeOrganization, numbersOf } from "../database/organizations.ts";
import { assertCounted } from "../database/recount.ts";
import { assertRefused } from "../functions/api.ts";
import { connect } from "../functions/clients.ts";
import { callMembers, createTeam } from "../functions/manage-members/team.ts";
import { settled } from "../functions/organizations.ts";
import { stackEnv } from "../stack.ts";
import { ROUNDS } from "./rounds.ts";

const clients = connect(stackEnv());
const { clerk, sql } = clients;

const SESSIONS = 64;
const APPROVALS = 200;
const SEATS = 10;
const HTTP_ROUNDS = Math.ceil(ROUNDS / 5);

/** Has so many sessions work off a list together. */
async function together<Thing>(
  sessions: number,
  things: readonly Thing[],
  work: (thing: Thing, session: number) => Promise<void>,
): Promise<void> {
  const waiting = [...things];
  const workOff = async (_: unknown, session: number) => {
    for (let thing = waiting.pop(); thing !== undefined; thing = waiting.pop()) {
      await work(thing, session);
    }
  };
  await Promise.all(Array.from({ length: sessions }, workOff));
}

Deno.test(`${SESSIONS} sessions approve ${APPROVALS} for ${SEATS} seats, ${ROUNDS} times in SQL`, () =>
  withConnections(SESSIONS, async (connections) => {
    const [observer] = connections;
    for (let round = 0; round < ROUNDS; round++) {
      const { organization, requests } = await observer.begin(async (sql) => {
        const organization = await makeOrganization(sql, { seats: SEATS });
        return { organization, requests: await addRequests(sql, organization, APPROVALS) };
      });
      const refusals: string[] = [];

      await together(SESSIONS, requests, async ({ id }, session) => {
        const connection = connections[session] ?? observer;
        await approveMember(connection, id)
          .catch((error: unknown) => void refusals.push(asRefusal(error).code));
      });

      assert.deepEqual(refusals, Array(APPROVALS - SEATS).fill("seats_full"));
      assert.equal((await numbersOf(observer, organization)).used, SEATS);
      await assertCounted(observer, organization);
    }
  }));

Deno.test(`${SESSIONS} sessions approve ${APPROVALS} for ${SEATS} seats, ${HTTP_ROUNDS} times over HTTP`, async () => {
  for (let round = 0; round < HTTP_ROUNDS; round++) {
    // The owner has one of the seats.
    const team = await createTeam(clients, SEATS + 1);
    const users = await Promise.all(Array.from({ length: APPROVALS }, () => clerk.createUser()));
    const requests = await sql<{ id: string }[]>`
      insert into public.organization_members (organization_id, clerk_user_id, email, status)
      select ${team.id}, user_id, lower(user_id) || '@example.com', 'requested'
      from jsonb_array_elements_text(${
      JSON.stringify(users.map(({ id }) => id))
    }::text::jsonb) as u (user_id)
      returning id`;
    let approved = 0;

    await together(SESSIONS, requests, async ({ id }) => {
      const answer = await callMembers(clients, team, "POST", `/join-requests/${id}/approve`);
      if (answer.status === 200) approved++;
      else assertRefused(answer, 409, "seats_full");
    });

    assert.equal(approved, SEATS);
    await settled(clients, team.clerkId);
    const { totalCount } = await clerk.client.organizations.getOrganizationMembershipList({
      organizationId: team.clerkId,
    });
    assert.equal(totalCount, SEATS + 1);
    assert.equal((await numbersOf(sql, team)).used, SEATS + 1);
    await assertCounted(sql, team);
  }
});
