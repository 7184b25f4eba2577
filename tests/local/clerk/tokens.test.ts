import assert from "node:assert/strict";
import { verifyToken } from "@clerk/backend";
import { decodeJwt } from "@clerk/backend/jwt";
import { refused, withClerk } from "./emulator.ts";

Deno.test("a token for a user in an organization verifies without the network", () =>
  withClerk(async ({ emulator, fixtures }) => {
    const { organization, adminId } = await fixtures.createOrganization();
    const token = await fixtures.sessionToken({ userId: adminId, organizationId: organization.id });
    const claims = await verifyToken(token, {
      jwtKey: emulator.jwtKey,
      authorizedParties: ["http://localhost:3000"],
    });
    assert.equal(claims.v, 2);
    assert.equal(claims.sub, adminId);
    assert.match(claims.sid, /^sess_/);
    assert.equal(claims.iss, emulator.issuer);
    assert.equal(claims.exp - claims.iat, 60);
    assert.equal(claims.sts, "active");
    assert.deepEqual(claims.fva, [0, -1]);
    assert.equal(claims["role"], "authenticated");
    assert.deepEqual(claims.o, {
      id: organization.id,
      slg: organization.slug,
      rol: "admin",
      per: "read,manage",
      fpm: "3",
    });
  }));

Deno.test("a token verifies with the key set that its header names", () =>
  withClerk(async ({ emulator, fixtures }) => {
    const { adminId } = await fixtures.createOrganization();
    const token = await fixtures.sessionToken({ userId: adminId });
    const { header } = decodeJwt(token);
    const keys = await fixtures.client.jwks.getJwks();
    assert.equal(keys.keys?.[0]?.kid, header.kid);
    assert.deepEqual(await (await fetch(emulator.jwksUrl)).json(), keys);
    const claims = await verifyToken(token, {
      secretKey: "sk_test_c2VhdGtlZXBlcg",
      apiUrl: emulator.url,
    });
    assert.equal(claims.sub, adminId);
  }));

Deno.test("a token that expired, is for another party or was altered does not verify", () =>
  withClerk(async ({ emulator, fixtures }) => {
    const { adminId: userId } = await fixtures.createOrganization();
    const options = { jwtKey: emulator.jwtKey, authorizedParties: ["https://app.example"] };
    const good = await fixtures.sessionToken({ userId, azp: "https://app.example" });
    assert.equal((await verifyToken(good, options)).azp, "https://app.example");

    const expired = await fixtures.sessionToken({
      userId,
      azp: "https://app.example",
      expiresInSeconds: -60,
    });
    await assert.rejects(verifyToken(expired, options), { reason: "token-expired" });
    const stray = await fixtures.sessionToken({ userId });
    await assert.rejects(verifyToken(stray, options), {
      reason: "token-invalid-authorized-parties",
    });
    const [header, payload, signature] = good.split(".");
    const altered = btoa(atob(payload ?? "").replace("authenticated", "service_role2"));
    await assert.rejects(
      verifyToken([header, altered.replaceAll("=", ""), signature].join("."), options),
      { reason: "token-invalid-signature" },
    );
  }));

Deno.test("sessions made through the API give tokens for the organization joined last", () =>
  withClerk(async ({ emulator, fixtures }) => {
    const { sessions } = fixtures.client;
    const { id: userId } = await fixtures.createUser();
    const outside = await sessions.createSession({ userId });
    assert.equal(outside.lastActiveOrganizationId, undefined);

    for (const name of ["First", "Last"]) {
      const { organization } = await fixtures.createOrganization({ name });
      await fixtures.addMember(organization.id, { userId });
    }
    const session = await sessions.createSession({ userId });
    const { data: [last] } = await fixtures.client.organizations.getOrganizationList({
      query: "last",
    });
    assert.equal(session.lastActiveOrganizationId, last?.id);
    const { jwt } = await sessions.getToken(session.id, undefined, 300);
    const claims = await verifyToken(jwt, { jwtKey: emulator.jwtKey });
    assert.equal(claims.exp - claims.iat, 300);
    assert.equal(claims.v === 2 && claims.o?.rol, "member");
    assert.equal(claims.v === 2 && claims.o?.fpm, "1");

    const { jwt: plain } = await sessions.getToken(outside.id);
    const without = await verifyToken(plain, { jwtKey: emulator.jwtKey });
    assert.equal(without.v === 2 && without.o, undefined);

    assert.equal((await sessions.getSessionList({ userId })).totalCount, 2);
    assert.equal((await sessions.revokeSession(session.id)).status, "revoked");
    await refused(sessions.getToken(session.id), 404, "resource_not_found");
    await refused(sessions.getToken(outside.id, "supabase"), 404, "resource_not_found");
  }));

Deno.test("a token after leaving names no organization, and nobody gets one for another's", () =>
  withClerk(async ({ emulator, fixtures }) => {
    const { organizations, sessions } = fixtures.client;
    const { organization: { id: organizationId } } = await fixtures.createOrganization();
    const { publicUserData } = await fixtures.addMember(organizationId);
    const userId = publicUserData?.userId ?? "";
    const session = await sessions.createSession({ userId });
    await organizations.deleteOrganizationMembership({ organizationId, userId });
    const { jwt } = await sessions.getToken(session.id);
    const claims = await verifyToken(jwt, { jwtKey: emulator.jwtKey });
    assert.equal(claims.v === 2 && claims.o, undefined);
    await assert.rejects(
      fixtures.sessionToken({ userId, organizationId }),
      /403.*not_a_member_in_organization/,
    );
  }));
