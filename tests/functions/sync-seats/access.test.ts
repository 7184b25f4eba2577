import assert from "node:assert/strict";
import { stackEnv } from "../../stack.ts";
import { assertRefused, type Call, callFunction, functionsOf } from "../api.ts";
import { connect } from "../clients.ts";
import { addMembers, createOrganization, type Organization, tokenOf } from "../organizations.ts";
import { only } from "../rows.ts";
import { callSync } from "./sync.ts";

const clients = connect(stackEnv());
const { clerk, env, sql } = clients;

const call = (request: Call) => callFunction(functionsOf(clients), "sync-seats", request);
const secret = { apikey: env.SUPABASE_SECRET_KEY };

async function assertNeverSynced({ id }: Organization): Promise<void> {
  const row = only(
    await sql`
      select o.last_synced_at, isfinite(s.attempted_at) as attempted
      from public.organizations as o
      join private.organization_syncs as s on s.organization_id = o.id
      where o.id = ${id}`,
  );
  assert.deepEqual({ ...row }, { last_synced_at: null, attempted: false });
}

Deno.test("nobody syncs without a token", async () => {
  const organization = await createOrganization(clients);
  const body = { organizationId: organization.id };
  assertRefused(await call({ body }), 401, "missing_token");
  await assertNeverSynced(organization);
});

Deno.test("an expired token is refused", async () => {
  const organization = await createOrganization(clients);
  const token = await clerk.sessionToken({
    userId: organization.adminId,
    organizationId: organization.clerkId,
    azp: env.SITE_URL,
    expiresInSeconds: -60,
  });
  assertRefused(await callSync(clients, { ...organization, token }), 401, "invalid_token");
  await assertNeverSynced(organization);
});

Deno.test("a member who is no admin may not sync", async () => {
  const organization = await createOrganization(clients);
  const [member = ""] = await addMembers(clients, organization, 1);
  const token = await tokenOf(clients, member, organization.clerkId);
  const answer = await callSync(clients, { ...organization, token });
  assertRefused(answer, 403, "not_organization_admin");
  await assertNeverSynced(organization);
});

Deno.test("an admin of another organization may not sync", async () => {
  const organization = await createOrganization(clients);
  const { token } = await createOrganization(clients);
  const answer = await callSync(clients, { ...organization, token });
  assertRefused(answer, 403, "not_organization_admin");
  await assertNeverSynced(organization);
});

Deno.test("an unknown organization is answered like a foreign one", async () => {
  const { token } = await createOrganization(clients);
  const answer = await callSync(clients, { id: crypto.randomUUID(), token });
  assertRefused(answer, 403, "not_organization_admin");
});

Deno.test("an organization that was deleted in Clerk is gone", async () => {
  const organization = await createOrganization(clients);
  await clerk.client.organizations.deleteOrganization(organization.clerkId);
  await clerk.control.settle({ contains: organization.clerkId });
  assertRefused(await callSync(clients, organization), 404, "organization_not_found");
});

Deno.test("the secret key is for sweeps", async () => {
  const organization = await createOrganization(clients);
  const answer = await call({ headers: secret, body: { organizationId: organization.id } });
  assertRefused(answer, 400, "invalid_request");
  await assertNeverSynced(organization);
});

Deno.test("an admin's session is no secret key", async () => {
  const organization = await createOrganization(clients);
  const answer = await call({ token: organization.token, body: { sweep: true } });
  assertRefused(answer, 403, "secret_key_required");
  await assertNeverSynced(organization);
});

for (
  const [what, headers] of [
    ["a wrong secret key", { apikey: "sb_secret_wrong" }],
    ["the publishable key", { apikey: env.SUPABASE_PUBLISHABLE_KEY }],
    ["an empty key", { apikey: "" }],
    ["the secret key in another case", { apikey: env.SUPABASE_SECRET_KEY.toUpperCase() }],
    ["a part of the secret key", { apikey: env.SUPABASE_SECRET_KEY.slice(0, -1) }],
  ] as const
) {
  Deno.test(`${what} is as good as none`, async () => {
    const organization = await createOrganization(clients);
    assertRefused(await call({ headers, body: { sweep: true } }), 401, "missing_token");
    await assertNeverSynced(organization);
  });
}

Deno.test("a wrong secret key takes nothing from an admin's session", async () => {
  const organization = await createOrganization(clients);
  const { status } = await call({
    token: organization.token,
    headers: { apikey: env.SUPABASE_PUBLISHABLE_KEY },
    body: { organizationId: organization.id },
  });
  assert.equal(status, 200);
});

for (
  const body of [
    {},
    { sweep: false },
    { sweep: "true" },
    { sweep: true, limit: 0 },
    { sweep: true, limit: 1.5 },
    { sweep: true, limit: 10_001 },
    { sweep: true, limit: "all" },
    { sweep: true, organizationId: crypto.randomUUID() },
    { organizationId: "org_123" },
  ]
) {
  Deno.test(`${JSON.stringify(body)} is no request, whoever asks`, async () => {
    const { token } = await createOrganization(clients);
    assertRefused(await call({ headers: secret, body }), 400, "invalid_request");
    assertRefused(await call({ token, body }), 400, "invalid_request");
  });
}

Deno.test("what is no JSON and what is too large is refused, whoever asks", async () => {
  const { token } = await createOrganization(clients);
  for (const caller of [{ token }, { headers: secret }]) {
    assertRefused(await call({ ...caller, raw: "sweep" }), 400, "invalid_json");
    const raw = " ".repeat(64 * 1024 + 1);
    assertRefused(await call({ ...caller, raw }), 413, "body_too_large");
  }
});

Deno.test("a browser of any origin may call it", async () => {
  const { status, headers } = await call({ method: "OPTIONS" });
  assert.equal(status, 204);
  assert.equal(headers.get("access-control-allow-origin"), "*");
});

Deno.test("GET is answered with the method to use", async () => {
  const answer = await call({ method: "GET", headers: secret });
  assertRefused(answer, 405, "method_not_allowed");
  assert.equal(answer.headers.get("allow"), "POST");
});
