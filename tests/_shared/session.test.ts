import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { Buffer } from "node:buffer";
import { requireAdminSession, requireSession } from "../../supabase/functions/_shared/session.ts";
import { ApiError } from "../../supabase/functions/_shared/errors.ts";

const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const settings = {
  CLERK_JWT_KEY: publicKey.export({ type: "spki", format: "pem" }).toString(),
  CLERK_AUTHORIZED_PARTIES: ["https://app.example", "https://admin.example"],
};

type Claims = Readonly<Record<string, unknown>>;

/** A session token of Clerk's, valid for a minute unless told otherwise. */
function tokenOf(claims: Claims, key: KeyObject = privateKey): string {
  const now = Math.floor(Date.now() / 1000);
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const all = {
    iss: "https://clerk.app.example",
    sub: "user_1",
    sid: "sess_1",
    azp: "https://app.example",
    iat: now,
    nbf: now - 10,
    exp: now + 60,
    ...claims,
  };
  const input = `${encode({ alg: "RS256", typ: "JWT", kid: "ins_1" })}.${encode(all)}`;
  return `${input}.${sign("RSA-SHA256", Buffer.from(input), key).toString("base64url")}`;
}

function requestWith(authorization: string | null): Request {
  const headers: HeadersInit = authorization === null ? {} : { authorization };
  return new Request("http://localhost/", { method: "POST", headers });
}

const sessionOf = (claims: Claims) =>
  requireSession(requestWith(`Bearer ${tokenOf(claims)}`), settings);

async function refusalOf(refused: Promise<unknown>): Promise<string> {
  const error = await refused.then(() => assert.fail("It was not refused"), (error) => error);
  assert(error instanceof ApiError, String(error));
  return `${error.status} ${error.code}`;
}

Deno.test("requireSession() reads a token of version 2", async () => {
  assert.deepEqual(await sessionOf({ v: 2, o: { id: "org_1", slg: "acme", rol: "admin" } }), {
    userId: "user_1",
    clerkOrgId: "org_1",
    role: "admin",
  });
});

Deno.test("requireSession() reads a token of version 1, whose role has its prefix", async () => {
  assert.deepEqual(await sessionOf({ org_id: "org_1", org_role: "org:admin" }), {
    userId: "user_1",
    clerkOrgId: "org_1",
    role: "admin",
  });
});

Deno.test("requireSession() reads a token without an organization", async () => {
  const nobody = { userId: "user_1", clerkOrgId: null, role: null };
  assert.deepEqual(await sessionOf({ v: 2 }), nobody);
  assert.deepEqual(await sessionOf({}), nobody);
});

Deno.test("requireSession() reads each version by its own claims only", async () => {
  const both = { org_id: "org_1", org_role: "org:admin" };
  assert.equal((await sessionOf({ v: 2, ...both })).role, null);
  assert.equal((await sessionOf({ o: { id: "org_1", rol: "admin" } })).role, null);
});

Deno.test("requireSession() takes the authorized parties, and no other", async () => {
  assert.equal((await sessionOf({ azp: "https://admin.example" })).userId, "user_1");
  assert.equal(await refusalOf(sessionOf({ azp: "https://evil.example" })), "401 invalid_token");
});

Deno.test("requireSession() refuses a token that has expired or is for later", async () => {
  const now = Math.floor(Date.now() / 1000);
  assert.equal(await refusalOf(sessionOf({ exp: now - 60 })), "401 invalid_token");
  assert.equal(await refusalOf(sessionOf({ nbf: now + 60 })), "401 invalid_token");
});

Deno.test("requireSession() refuses a session that has tasks left", async () => {
  assert.equal(await refusalOf(sessionOf({ v: 2, sts: "pending" })), "401 invalid_token");
  assert.equal((await sessionOf({ v: 2, sts: "active" })).userId, "user_1");
});

Deno.test("requireSession() refuses a token that another key has signed", async () => {
  const { privateKey: another } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const request = requestWith(`Bearer ${tokenOf({}, another)}`);
  assert.equal(await refusalOf(requireSession(request, settings)), "401 invalid_token");
});

Deno.test("requireSession() refuses what is no bearer token as missing", async () => {
  const token = tokenOf({});
  for (const header of [null, "", "Bearer", "Bearer ", token, `Basic ${token}`, "Bearer a b"]) {
    const refused = requireSession(requestWith(header), settings);
    assert.equal(await refusalOf(refused), "401 missing_token", String(header));
  }
});

Deno.test("requireSession() takes the scheme in any case", async () => {
  const { userId } = await requireSession(requestWith(`bearer ${tokenOf({})}`), settings);
  assert.equal(userId, "user_1");
});

Deno.test("requireAdminSession() takes admins of an organization, and nobody else", async () => {
  const adminOf = (claims: Claims) =>
    requireAdminSession(requestWith(`Bearer ${tokenOf(claims)}`), settings);
  assert.equal((await adminOf({ v: 2, o: { id: "org_1", rol: "admin" } })).clerkOrgId, "org_1");
  for (
    const claims of [
      { v: 2, o: { id: "org_1", rol: "member" } },
      { v: 2, o: { id: "org_1", rol: "Admin" } },
      { v: 2, o: { rol: "admin" } },
      { v: 2, o: { id: "org_1" } },
      { v: 2 },
      { org_id: "org_1", org_role: "org:member" },
    ]
  ) {
    assert.equal(await refusalOf(adminOf(claims)), "403 not_organization_admin");
  }
});
