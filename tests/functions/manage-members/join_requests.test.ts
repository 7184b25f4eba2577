import assert from "node:assert/strict";
import { stackEnv } from "../../stack.ts";
import { type Answer, assertRefused } from "../api.ts";
import { connect } from "../clients.ts";
import { addMembers, type Organization } from "../organizations.ts";
import { addFault } from "../requests.ts";
import { numbersOf } from "../rows.ts";
import { codeOf, createApplicant, requestToJoin, tryCode } from "./joining.ts";
import { assertAgreement, callMembers, createTeam } from "./team.ts";

const clients = connect(stackEnv());
const { clerk, sql } = clients;

interface Page {
  readonly joinCode: string;
  readonly data: readonly {
    readonly id: string;
    readonly clerkUserId: string;
    readonly email: string | null;
    readonly requestedAt: string;
  }[];
  readonly nextCursor: number | null;
}

function list(team: Organization, query = ""): Promise<Answer<Page>> {
  return callMembers<Page>(clients, team, "GET", `/join-requests${query}`);
}

/** What is told: not the headers that differ with every answer. */
function told({ status, body, headers }: Answer): unknown {
  const names = [...headers.keys()].filter((name) => name !== "date").sort();
  return { status, body, names };
}

Deno.test("somebody asks to join, and takes no seat", async () => {
  const team = await createTeam(clients, 5);
  const { userId, email, id } = await requestToJoin(clients, team);
  const { status, body } = await list(team);
  assert.equal(status, 200);
  assert.equal(body.joinCode, await codeOf(clients, team));
  assert.equal(body.nextCursor, null);
  assert.deepEqual(body.data.map(({ requestedAt: _at, ...request }) => request), [
    { id, clerkUserId: userId, email },
  ]);
  assert.ok(!Number.isNaN(Date.parse(body.data[0]?.requestedAt ?? "")));
  assert.equal((await numbersOf(sql, team)).used, 1);
});

Deno.test("the answer is the same for every code", async () => {
  const team = await createTeam(clients, 2);
  const full = await createTeam(clients, 1);
  const deleted = await createTeam(clients, 5);
  const deletedCode = await codeOf(clients, deleted);
  await clerk.client.organizations.deleteOrganization(deleted.clerkId);
  await clerk.control.settle({ contains: deleted.clerkId });
  const code = await codeOf(clients, team);
  const applicant = await createApplicant(clients);
  const answers = [];
  for (
    const wanted of [
      code,
      code,
      ` ${code.toLowerCase()} `,
      await codeOf(clients, full),
      deletedCode,
      "WRONGCODE",
      "' or true --",
    ]
  ) {
    answers.push(told(await tryCode(clients, applicant, wanted)));
  }
  for (const answer of answers) assert.deepEqual(answer, answers[0]);
  assert.equal((answers[0] as { status: number }).status, 202);
  assert.equal((await list(team)).body.data.length, 1);
  assert.equal((await list(full)).body.data.length, 1);
});

Deno.test("a member who asks to join is told the same, and stays a member", async () => {
  const team = await createTeam(clients, 5);
  const applicant = await createApplicant(clients);
  await clerk.addMember(team.clerkId, { userId: applicant.userId });
  await clerk.control.settle({ contains: team.clerkId });
  const { status } = await tryCode(clients, applicant, await codeOf(clients, team));
  assert.equal(status, 202);
  assert.deepEqual((await list(team)).body.data, []);
  assert.equal((await assertAgreement(clients, team)).members.length, 2);
});

Deno.test("guessing is slowed: ten codes an hour, and right ones no more after that", async () => {
  const team = await createTeam(clients, 5);
  const code = await codeOf(clients, team);
  const guesser = await createApplicant(clients);
  for (let guess = 0; guess < 10; guess++) {
    assert.equal((await tryCode(clients, guesser, `GUESS${guess}XYZ`)).status, 202);
  }
  for (const wanted of ["ANOTHERONE", code]) {
    const answer = await tryCode(clients, guesser, wanted);
    const { retryAfter } = assertRefused(answer, 429, "too_many_attempts");
    assert.ok(typeof retryAfter === "number" && retryAfter > 3500 && retryAfter <= 3600);
    assert.equal(answer.headers.get("retry-after"), String(Math.ceil(retryAfter)));
  }
  assert.deepEqual((await list(team)).body.data, []);
  // Somebody else's guesses are no reason.
  await requestToJoin(clients, team);

  await sql`
    update private.join_attempts set since = since - interval '61 minutes'
    where clerk_user_id = ${guesser.userId}`;
  assert.equal((await tryCode(clients, guesser, code)).status, 202);
  assert.equal((await list(team)).body.data.length, 2);
});

for (const joinCode of [undefined, null, "", 1, "C".repeat(65), "CODE\n", ["CODE"]]) {
  Deno.test(`the code ${JSON.stringify(joinCode)?.slice(0, 12)} is refused`, async () => {
    const applicant = await createApplicant(clients);
    assertRefused(await tryCode(clients, applicant, joinCode), 400, "invalid_request");
    const attempts = await sql`
      select from private.join_attempts where clerk_user_id = ${applicant.userId}`;
    assert.equal(attempts.length, 0);
  });
}

Deno.test("while Clerk does not say who asks, nobody joins", async () => {
  const team = await createTeam(clients, 5);
  const applicant = await createApplicant(clients);
  const away = await addFault(clerk.control, {
    match: { path: `^/v1/users/${applicant.userId}$` },
    kind: "fail",
    status: 503,
    times: 0,
  });
  for (const code of [await codeOf(clients, team), "WRONGCODE"]) {
    const answer = await tryCode(clients, applicant, code);
    assertRefused(answer, 503, "clerk_unavailable");
    assert.equal(answer.headers.get("retry-after"), "5");
  }
  await away.remove();
  assert.deepEqual((await list(team)).body.data, []);
});

Deno.test("whoever has no e-mail address can ask as well", async () => {
  const team = await createTeam(clients, 5);
  const applicant = await createApplicant(clients);
  // Clerk knows people by a telephone number or a user name alone.
  const nameless = await addFault(clerk.control, {
    match: { path: `^/v1/users/${applicant.userId}$` },
    kind: "fail",
    status: 200,
    headers: { "content-type": "application/json" },
    body: {
      object: "user",
      id: applicant.userId,
      primary_email_address_id: null,
      email_addresses: [],
      phone_numbers: [],
      web3_wallets: [],
      external_accounts: [],
    },
  });
  await requestToJoin(clients, team, applicant);
  await nameless.remove();
  assert.equal((await list(team)).body.data[0]?.email, null);
});

Deno.test("requests are read page by page, oldest first", async () => {
  const team = await createTeam(clients, 5);
  const ids: string[] = [];
  for (let count = 0; count < 5; count++) ids.push((await requestToJoin(clients, team)).id);
  const read: string[] = [];
  let cursor: number | null = 0;
  for (let pages = 0; cursor !== null; pages++) {
    assert.ok(pages < 3);
    const { body }: Answer<Page> = await list(team, `?limit=2&cursor=${cursor}`);
    read.push(...body.data.map(({ id }) => id));
    cursor = body.nextCursor;
  }
  assert.deepEqual(read, ids);
});

Deno.test("a request is turned down, for good, and can be made anew", async () => {
  const team = await createTeam(clients, 5);
  const request = await requestToJoin(clients, team);
  const reject = () =>
    callMembers<{ member: { status: string } }>(
      clients,
      team,
      "POST",
      `/join-requests/${request.id}/reject`,
    );
  for (let times = 0; times < 2; times++) {
    const { status, body } = await reject();
    assert.deepEqual([status, body.member.status], [200, "rejected"]);
  }
  const approved = await callMembers(clients, team, "POST", `/join-requests/${request.id}/approve`);
  assertRefused(approved, 409, "request_closed");
  assert.deepEqual((await list(team)).body.data, []);

  assert.notEqual((await requestToJoin(clients, team, request)).id, request.id);
  assert.equal((await list(team)).body.data.length, 1);
});

Deno.test("a code is replaced, and the old one is worth nothing", async () => {
  const team = await createTeam(clients, 5);
  const old = await codeOf(clients, team);
  const { status, body } = await callMembers<{ joinCode: string }>(
    clients,
    team,
    "POST",
    "/join-code",
  );
  assert.equal(status, 200);
  assert.notEqual(body.joinCode, old);
  assert.equal((await list(team)).body.joinCode, body.joinCode);

  assert.equal((await tryCode(clients, await createApplicant(clients), old)).status, 202);
  assert.deepEqual((await list(team)).body.data, []);
  await requestToJoin(clients, team);
  assert.equal((await list(team)).body.data.length, 1);
});

Deno.test("a member is no request", async () => {
  const team = await createTeam(clients, 5);
  const [userId = ""] = await addMembers(clients, team, 1);
  const [row] = await sql<{ id: string }[]>`
    select id from public.organization_members
    where organization_id = ${team.id} and clerk_user_id = ${userId}`;
  const reject = await callMembers(
    clients,
    team,
    "POST",
    `/join-requests/${row?.id}/reject`,
  );
  assertRefused(reject, 409, "request_closed");
  await assertAgreement(clients, team);
});
