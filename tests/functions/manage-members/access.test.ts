import assert from "node:assert/strict";
import { routes } from "../../../supabase/functions/manage-members/handler.ts";
import { stackEnv } from "../../stack.ts";
import { assertRefused, callFunction, functionsOf } from "../api.ts";
import { connect } from "../clients.ts";
import { createOrganization, settled, tokenOf, worthlessTokens } from "../organizations.ts";
import { call, countPeopleRequests, createSubjects, ROUTES, type Subjects } from "./routes.ts";

const clients = connect(stackEnv());
const { clerk, env, sql } = clients;

Deno.test("these tests know every route of an organization", () => {
  const config = { CLERK_JWT_KEY: env.CLERK_JWT_KEY, CLERK_AUTHORIZED_PARTIES: [] };
  const app = routes({ config, database: clients.admin, clerk: clerk.client });
  const below = "/manage-members/:organizationId/";
  const ours = app.routes.filter(({ path }) => path.startsWith(below))
    .map(({ method, path }) => `${method} ${path.slice(below.length)}`);
  assert.deepEqual(ours.sort(), ROUTES.map(({ method, name }) => `${method} ${name}`).sort());
  const others = app.routes.filter(({ path }) => !path.startsWith(below));
  assert.deepEqual(others.map(({ method, path }) => `${method} ${path}`), [
    "POST /manage-members/join-requests",
  ]);
});

async function rowsOf({ team }: Subjects): Promise<unknown> {
  return await Promise.all([
    sql`select join_code, seat_limit, seats_used from public.organizations where id = ${team.id}`,
    sql`select * from public.organization_members where organization_id = ${team.id} order by id`,
    sql`select * from public.organization_invitations
      where organization_id = ${team.id} order by id`,
  ]);
}

/** Calls every route with a token; asserts that each refuses so, and that nothing has happened. */
async function assertAllRefused(
  subjects: Subjects,
  token: string | undefined,
  ...expected: [number, string]
): Promise<void> {
  const before = await rowsOf(subjects);
  const requests = await countPeopleRequests(clients, subjects.team);
  for (const route of ROUTES) {
    const answer = await call(
      clients,
      subjects,
      route,
      route.path(subjects),
      token === undefined ? {} : { token },
    );
    assertRefused(answer, ...expected);
  }
  assert.equal(await requests.hits(), 0);
  await requests.remove();
  assert.deepEqual(await rowsOf(subjects), before);
}

Deno.test("a call without a token is refused", async () => {
  await assertAllRefused(await createSubjects(clients), undefined, 401, "missing_token");
  const answer = await callFunction(functionsOf(clients), "manage-members/join-requests", {
    body: { joinCode: "ABCDEFGH" },
  });
  assertRefused(answer, 401, "missing_token");
});

Deno.test("a call with a token that is forged or over is refused", async () => {
  const subjects = await createSubjects(clients);
  for (const wrong of await worthlessTokens(clients, subjects.team)) {
    await assertAllRefused(subjects, wrong, 401, "invalid_token");
    const answer = await callFunction(functionsOf(clients), "manage-members/join-requests", {
      token: wrong,
      body: { joinCode: "ABCDEFGH" },
    });
    assertRefused(answer, 401, "invalid_token");
  }
});

Deno.test("a member may do nothing here", async () => {
  const subjects = await createSubjects(clients);
  const { team, memberUserId } = subjects;
  const token = await tokenOf(clients, memberUserId, team.clerkId);
  await assertAllRefused(subjects, token, 403, "not_organization_admin");
});

Deno.test("nobody's member may do nothing here", async () => {
  const { id: userId } = await clerk.createUser();
  const token = await clerk.sessionToken({ userId, azp: env.SITE_URL });
  await assertAllRefused(await createSubjects(clients), token, 403, "not_organization_admin");
});

Deno.test("the admin of another organization may do nothing here", async () => {
  const { token } = await createOrganization(clients);
  await assertAllRefused(await createSubjects(clients), token, 403, "not_organization_admin");
});

Deno.test("an admin may do nothing with what is another organization's", async () => {
  const subjects = await createSubjects(clients);
  const own = await createSubjects(clients);
  const before = await rowsOf(subjects);
  for (const route of ROUTES.filter(({ name }) => name.includes(":"))) {
    const answer = await call(clients, own, route, route.path(subjects), { token: own.team.token });
    const code = route.name.startsWith("invitations") ? "invitation_not_found" : "member_not_found";
    assertRefused(answer, 404, code);
  }
  await settled(clients, subjects.team.clerkId);
  assert.deepEqual(await rowsOf(subjects), before);
});

Deno.test("what nobody knows is not found", async () => {
  const { team } = await createSubjects(clients);
  const unknown = {
    team,
    invitationId: crypto.randomUUID(),
    memberUserId: "user_0",
    requestId: crypto.randomUUID(),
  };
  for (const route of ROUTES.filter(({ name }) => name.includes(":"))) {
    const answer = await call(clients, unknown, route, route.path(unknown), { token: team.token });
    const code = route.name.startsWith("invitations") ? "invitation_not_found" : "member_not_found";
    assertRefused(answer, 404, code);
  }
});

Deno.test("an organization that nobody knows is not told from that of others", async () => {
  const { team, ...subjects } = await createSubjects(clients);
  const unknown = { ...subjects, team: { ...team, id: crypto.randomUUID() } };
  for (const route of ROUTES) {
    const answer = await call(clients, unknown, route, route.path(unknown), { token: team.token });
    assertRefused(answer, 403, "not_organization_admin");
  }
});
