import assert from "node:assert/strict";
import { stackEnv } from "../../stack.ts";
import { assertRefused, callFunction, functionsOf } from "../api.ts";
import { connect } from "../clients.ts";
import { call, countPeopleRequests, createSubjects, ROUTES } from "./routes.ts";
import { createTeam, newAddress } from "./team.ts";

const clients = connect(stackEnv());

for (const route of ROUTES) {
  for (const body of route.wrong ?? []) {
    const shown = JSON.stringify(body).slice(0, 60);
    Deno.test(`${route.method} ${route.name}: the body ${shown} is refused`, async () => {
      const team = await createTeam(clients, 9);
      const subjects = { team, invitationId: "", memberUserId: "user_0", requestId: "" };
      const requests = await countPeopleRequests(clients, team);
      const answer = await call(clients, subjects, route, route.path(subjects), {
        token: team.token,
        body,
      });
      const { issues } = assertRefused(answer, 400, "invalid_request");
      assert.ok((issues as unknown[]).length > 0);
      assert.equal(await requests.hits(), 0);
      await requests.remove();
    });
  }
}

Deno.test("ids that are none are refused", async () => {
  const { team, ...subjects } = await createSubjects(clients);
  const wrong = {
    team,
    invitationId: "inv_1",
    memberUserId: "user%00",
    requestId: "00000000-0000-0000-0000-00000000000g",
  };
  for (const route of ROUTES) {
    const elsewhere = { ...subjects, team: { ...team, id: "org_1" } };
    const answer = await call(clients, elsewhere, route, route.path(elsewhere), {
      token: team.token,
    });
    assertRefused(answer, 400, "invalid_request");
    if (!route.name.includes(":")) continue;
    assertRefused(
      await call(clients, wrong, route, route.path(wrong), { token: team.token }),
      400,
      "invalid_request",
    );
  }
});

for (const raw of ["", "{", "invitations=ada"]) {
  Deno.test(`the body ${JSON.stringify(raw)} is no JSON`, async () => {
    const subjects = await createSubjects(clients);
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
    call(clients, subjects, route, "/invitations", { token: team.token, body: sent });
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
  const subjects = await createSubjects(clients);
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
