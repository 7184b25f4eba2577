import assert from "node:assert/strict";
import { routes } from "../../../supabase/functions/manage-members/handler.ts";
import { stackEnv } from "../../stack.ts";
import { type Answer, assertRefused, type Call, callFunction, functionsOf } from "../api.ts";
import { connect } from "../clients.ts";
import {
  addInvitations,
  addMembers,
  createOrganization,
  type Organization,
  settled,
  tokenOf,
} from "../organizations.ts";
import { type AddedFault, countRequests } from "../requests.ts";
import { only } from "../rows.ts";
import { createTeam, newAddress } from "./team.ts";
import { requestToJoin } from "./joining.ts";

const clients = connect(stackEnv());
const { clerk, env, sql } = clients;

/** What the routes of an organization work on. */
interface Subjects {
  readonly team: Organization;
  readonly invitationId: string;
  readonly memberUserId: string;
  readonly requestId: string;
}

interface Route {
  readonly name: string;
  readonly method: string;
  path(subjects: Subjects): string;
  readonly body?: unknown;
  /** What its body may not be. */
  readonly wrong?: readonly unknown[];
}

const ROUTES: readonly Route[] = [
  {
    name: "invitations",
    method: "POST",
    path: () => "/invitations",
    body: { invitations: [{ email: "somebody@example.com" }] },
    wrong: [
      {},
      { invitations: [] },
      { invitations: Array.from({ length: 501 }, () => ({ email: newAddress() })) },
      { invitations: "ada@example.com" },
      { invitations: ["ada@example.com"] },
      { invitations: [{}] },
      { invitations: [{ email: "" }] },
      { invitations: [{ email: "nobody" }] },
      { invitations: [{ email: "a@b@example.com" }] },
      { invitations: [{ email: "ada@example.com\n" + "bcc: eve@example.com" }] },
      { invitations: [{ email: "ada\u0000@example.com" }] },
      { invitations: [{ email: `${"a".repeat(250)}@example.com` }] },
      { invitations: [{ email: "ada@example.com", role: "" }] },
      { invitations: [{ email: "ada@example.com", role: null }] },
      { invitations: [{ email: "ada@example.com", role: "org:\u0007" }] },
      { invitations: [{ email: "ada@example.com", role: "r".repeat(129) }] },
      { invitations: [{ email: "ada@example.com", name: "Ada" }] },
      { invitations: [{ email: "ada@example.com" }], partial: true },
    ],
  },
  {
    name: "invitations/:id/resend",
    method: "POST",
    path: ({ invitationId }) => `/invitations/${invitationId}/resend`,
  },
  {
    name: "invitations/:id",
    method: "DELETE",
    path: ({ invitationId }) => `/invitations/${invitationId}`,
  },
  {
    name: "members/:userId",
    method: "PATCH",
    path: ({ memberUserId }) => `/members/${memberUserId}`,
    body: { role: "org:admin" },
    wrong: [{}, { role: "" }, { role: null }, { role: 1 }, { role: "org:a\nb" }, {
      role: "r".repeat(129),
    }, { role: "org:admin", seats: 1 }],
  },
  {
    name: "members/:userId",
    method: "DELETE",
    path: ({ memberUserId }) => `/members/${memberUserId}`,
  },
  { name: "join-requests", method: "GET", path: () => "/join-requests" },
  {
    name: "join-requests/:id/approve",
    method: "POST",
    path: ({ requestId }) => `/join-requests/${requestId}/approve`,
  },
  {
    name: "join-requests/:id/reject",
    method: "POST",
    path: ({ requestId }) => `/join-requests/${requestId}/reject`,
  },
  { name: "join-code", method: "POST", path: () => "/join-code" },
];

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

async function createSubjects(): Promise<Subjects> {
  const team = await createTeam(clients, 9);
  const [memberUserId = ""] = await addMembers(clients, team, 1);
  await addInvitations(clients, team, 1);
  const { id: invitationId } = only(
    await sql<{ id: string }[]>`
      select id from public.organization_invitations where organization_id = ${team.id}`,
  );
  const { id: requestId } = await requestToJoin(clients, team);
  return { team, invitationId, memberUserId, requestId };
}

function call(
  { team }: Subjects,
  { method, body }: Route,
  path: string,
  more: Call,
): Promise<Answer> {
  return callFunction(functionsOf(clients), `manage-members/${team.id}${path}`, {
    method,
    ...(body === undefined ? {} : { body }),
    ...more,
  });
}

/** Counts what Clerk is asked about people; it may be told the limit at any time. */
function countPeopleRequests({ clerkId }: Organization): Promise<AddedFault> {
  const path = `^/v1/organizations/${clerkId}/(invitations|memberships)`;
  return countRequests(clerk.control, { path });
}

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
  const requests = await countPeopleRequests(subjects.team);
  for (const route of ROUTES) {
    const answer = await call(
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
  await assertAllRefused(await createSubjects(), undefined, 401, "missing_token");
  const answer = await callFunction(functionsOf(clients), "manage-members/join-requests", {
    body: { joinCode: "ABCDEFGH" },
  });
  assertRefused(answer, 401, "missing_token");
});

Deno.test("a call with a token that is forged or over is refused", async () => {
  const subjects = await createSubjects();
  const { token, adminId: userId, clerkId: organizationId } = subjects.team;
  const [header, claims, signature = ""] = token.split(".");
  const forged = [header, claims, signature.split("").reverse().join("")].join(".");
  const over = await clerk.sessionToken({
    userId,
    organizationId,
    azp: env.SITE_URL,
    expiresInSeconds: -60,
  });
  const elsewhere = await clerk.sessionToken({ userId, organizationId, azp: "https://evil.test" });
  for (const wrong of [forged, over, elsewhere]) {
    await assertAllRefused(subjects, wrong, 401, "invalid_token");
    const answer = await callFunction(functionsOf(clients), "manage-members/join-requests", {
      token: wrong,
      body: { joinCode: "ABCDEFGH" },
    });
    assertRefused(answer, 401, "invalid_token");
  }
});

Deno.test("a member may do nothing here", async () => {
  const subjects = await createSubjects();
  const { team, memberUserId } = subjects;
  const token = await tokenOf(clients, memberUserId, team.clerkId);
  await assertAllRefused(subjects, token, 403, "not_organization_admin");
});

Deno.test("nobody's member may do nothing here", async () => {
  const { id: userId } = await clerk.createUser();
  const token = await clerk.sessionToken({ userId, azp: env.SITE_URL });
  await assertAllRefused(await createSubjects(), token, 403, "not_organization_admin");
});

Deno.test("the admin of another organization may do nothing here", async () => {
  const { token } = await createOrganization(clients);
  await assertAllRefused(await createSubjects(), token, 403, "not_organization_admin");
});

Deno.test("an admin may do nothing with what is another organization's", async () => {
  const subjects = await createSubjects();
  const own = await createSubjects();
  const before = await rowsOf(subjects);
  for (const route of ROUTES.filter(({ name }) => name.includes(":"))) {
    const answer = await call(own, route, route.path(subjects), { token: own.team.token });
    const code = route.name.startsWith("invitations") ? "invitation_not_found" : "member_not_found";
    assertRefused(answer, 404, code);
  }
  await settled(clients, subjects.team.clerkId);
  assert.deepEqual(await rowsOf(subjects), before);
});

Deno.test("what nobody knows is not found", async () => {
  const { team } = await createSubjects();
  const unknown = {
    team,
    invitationId: crypto.randomUUID(),
    memberUserId: "user_0",
    requestId: crypto.randomUUID(),
  };
  for (const route of ROUTES.filter(({ name }) => name.includes(":"))) {
    const answer = await call(unknown, route, route.path(unknown), { token: team.token });
    const code = route.name.startsWith("invitations") ? "invitation_not_found" : "member_not_found";
    assertRefused(answer, 404, code);
  }
});

Deno.test("an organization that nobody knows is not told from that of others", async () => {
  const { team, ...subjects } = await createSubjects();
  const unknown = { ...subjects, team: { ...team, id: crypto.randomUUID() } };
  for (const route of ROUTES) {
    const answer = await call(unknown, route, route.path(unknown), { token: team.token });
    assertRefused(answer, 403, "not_organization_admin");
  }
});

for (const route of ROUTES) {
  for (const body of route.wrong ?? []) {
    const shown = JSON.stringify(body).slice(0, 60);
    Deno.test(`${route.method} ${route.name}: the body ${shown} is refused`, async () => {
      const team = await createTeam(clients, 9);
      const subjects = { team, invitationId: "", memberUserId: "user_0", requestId: "" };
      const requests = await countPeopleRequests(team);
      const answer = await call(subjects, route, route.path(subjects), { token: team.token, body });
      const { issues } = assertRefused(answer, 400, "invalid_request");
      assert.ok((issues as unknown[]).length > 0);
      assert.equal(await requests.hits(), 0);
      await requests.remove();
    });
  }
}

Deno.test("ids that are none are refused", async () => {
  const { team, ...subjects } = await createSubjects();
  const wrong = {
    team,
    invitationId: "inv_1",
    memberUserId: "user%00",
    requestId: "00000000-0000-0000-0000-00000000000g",
  };
  for (const route of ROUTES) {
    const elsewhere = { ...subjects, team: { ...team, id: "org_1" } };
    const answer = await call(elsewhere, route, route.path(elsewhere), { token: team.token });
    assertRefused(answer, 400, "invalid_request");
    if (!route.name.includes(":")) continue;
    assertRefused(
      await call(wrong, route, route.path(wrong), { token: team.token }),
      400,
      "invalid_request",
    );
  }
});

for (const raw of ["", "{", "invitations=ada"]) {
  Deno.test(`the body ${JSON.stringify(raw)} is no JSON`, async () => {
    const subjects = await createSubjects();
    for (const { method, body, ...route } of ROUTES) {
      if (body === undefined) continue;
      const answer = await callFunction(
        functionsOf(clients),
        `manage-members/${subjects.team.id}${route.path(subjects)}`,
        { method, raw, token: subjects.team.token },
      );
      assertRefused(answer, 400, "invalid_json");
    }
  });
}

Deno.test("500 people with the longest of addresses fit into a body", async () => {
  const team = await createTeam(clients, 1);
  const addresses = Array.from(
    { length: 500 },
    (_, n) => `${String(n).padStart(60, "a")}@${"b".repeat(60)}.${"c".repeat(60)}.example.com`,
  );
  const route = ROUTES[0];
  assert(route !== undefined);
  const subjects = { team, invitationId: "", memberUserId: "", requestId: "" };
  const body = { invitations: addresses.map((email) => ({ email, role: "org:member" })) };
  const send = (sent: object) =>
    call(subjects, route, "/invitations", { token: team.token, body: sent });
  assertRefused(await send(body), 409, "seats_full");
  assertRefused(await send({ ...body, padding: "x".repeat(256 * 1024) }), 413, "body_too_large");
});

Deno.test("a query that is none is refused", async () => {
  const team = await createTeam(clients, 9);
  const get = (query: string) =>
    callFunction(functionsOf(clients), `manage-members/${team.id}/join-requests?${query}`, {
      method: "GET",
      token: team.token,
    });
  for (const query of ["limit=0", "limit=101", "limit=x", "cursor=-1", "cursor=next"]) {
    assertRefused(await get(query), 400, "invalid_request");
  }
  const answer = await callFunction(
    functionsOf(clients),
    `manage-members/${team.id}/invitations?partial=yes`,
    { token: team.token, body: { invitations: [{ email: newAddress() }] } },
  );
  assertRefused(answer, 400, "invalid_request");
});

Deno.test("there are no other routes and methods", async () => {
  const subjects = await createSubjects();
  const { team } = subjects;
  const paths = new Map<string, Set<string>>();
  for (const route of ROUTES) {
    const path = route.path(subjects);
    paths.set(path, (paths.get(path) ?? new Set()).add(route.method));
  }
  for (const [path, methods] of [...paths, ["", new Set()], ["/invitation", new Set()]] as const) {
    for (const method of ["GET", "POST", "PATCH", "DELETE"]) {
      if ((methods as Set<string>).has(method)) continue;
      const answer = await callFunction(
        functionsOf(clients),
        `manage-members/${team.id}${path}`,
        { method, token: team.token },
      );
      assertRefused(answer, 404, "not_found");
    }
  }
  const { status, headers } = await callFunction(
    functionsOf(clients),
    `manage-members/${team.id}/invitations`,
    { method: "PUT", token: team.token },
  );
  assert.equal(status, 405);
  assert.equal(headers.get("allow"), "GET, POST, PATCH, DELETE");
});

Deno.test("a browser of any origin may call it", async () => {
  const { status, headers } = await callFunction(
    functionsOf(clients),
    `manage-members/${crypto.randomUUID()}/members/user_1`,
    {
      method: "OPTIONS",
      headers: {
        origin: "https://app.example",
        "access-control-request-method": "PATCH",
        "access-control-request-headers": "authorization,content-type",
      },
    },
  );
  assert.equal(status, 204);
  assert.equal(headers.get("access-control-allow-origin"), "*");
  for (const method of ["GET", "POST", "PATCH", "DELETE"]) {
    assert.match(headers.get("access-control-allow-methods") ?? "", new RegExp(`\\b${method}\\b`));
  }
});
