import assert from "node:assert/strict";
import { stackEnv } from "../../stack.ts";
import { type Answer, assertRefused, callFunction, functionsOf } from "../api.ts";
import { clickBuy } from "../checkout.ts";
import { connect } from "../clients.ts";
import { addMembers, createOrganization, type Organization, tokenOf } from "../organizations.ts";
import { refused, refusedWish } from "./refusals.ts";

const clients = connect(stackEnv());
const { admin, clerk, env } = clients;
const NAME = "create-seat-checkout-session";

async function refusedToken(
  makeToken: (organization: Organization) => string | Promise<string>,
): Promise<Answer> {
  const organization = await createOrganization(clients);
  const token = await makeToken(organization);
  return await refused(clients, organization, () => clickBuy(clients, { ...organization, token }));
}

Deno.test("a call without a token is refused", async () => {
  const organization = await createOrganization(clients);
  const body = { organizationId: organization.id, plan: "pro", seats: 5, billingPeriod: "monthly" };
  for (const headers of [{}, { authorization: `Basic ${organization.token}` }]) {
    const answer = await refused(
      clients,
      organization,
      () => callFunction(functionsOf(clients), NAME, { body, headers }),
    );
    assertRefused(answer, 401, "missing_token");
  }
});

Deno.test("a token whose signature is wrong is refused", async () => {
  assertRefused(
    await refusedToken(({ token }) => {
      const [header, claims, signature = ""] = token.split(".");
      return [header, claims, signature.split("").reverse().join("")].join(".");
    }),
    401,
    "invalid_token",
  );
});

Deno.test("a token whose claims were changed is refused", async () => {
  assertRefused(
    await refusedToken(({ token }) => {
      const [header, claims = "", signature] = token.split(".");
      const changed = { ...JSON.parse(atob(claims)), sub: "user_mallory" };
      return [header, btoa(JSON.stringify(changed)).replaceAll("=", ""), signature].join(".");
    }),
    401,
    "invalid_token",
  );
});

Deno.test("a token without a signature is refused", async () => {
  assertRefused(
    await refusedToken(({ token }) => {
      const header = btoa(JSON.stringify({ alg: "none", typ: "JWT" })).replaceAll("=", "");
      return `${header}.${token.split(".")[1]}.`;
    }),
    401,
    "invalid_token",
  );
});

Deno.test("an expired token is refused", async () => {
  const answer = await refusedToken(({ adminId, clerkId }) =>
    clerk.sessionToken({
      userId: adminId,
      organizationId: clerkId,
      azp: env.SITE_URL,
      expiresInSeconds: -60,
    })
  );
  assertRefused(answer, 401, "invalid_token");
});

Deno.test("a token of another application is refused", async () => {
  const answer = await refusedToken(({ adminId, clerkId }) =>
    clerk.sessionToken({
      userId: adminId,
      organizationId: clerkId,
      azp: "https://elsewhere.example",
    })
  );
  assertRefused(answer, 401, "invalid_token");
});

Deno.test("the project's own keys are no tokens", async () => {
  for (const key of [env.SUPABASE_SECRET_KEY, env.SUPABASE_PUBLISHABLE_KEY]) {
    const answer = await refusedToken(() => key);
    assertRefused(answer, 401, "invalid_token");
  }
});

Deno.test("a member who is no admin may not buy", async () => {
  const organization = await createOrganization(clients);
  const [member = ""] = await addMembers(clients, organization, 1);
  const token = await tokenOf(clients, member, organization.clerkId);
  const answer = await refused(
    clients,
    organization,
    () => clickBuy(clients, { ...organization, token }),
  );
  assertRefused(answer, 403, "not_organization_admin");
});

Deno.test("someone without an organization may not buy", async () => {
  const answer = await refusedToken(async () => {
    const { id } = await clerk.createUser();
    return await clerk.sessionToken({ userId: id, azp: env.SITE_URL });
  });
  assertRefused(answer, 403, "not_organization_admin");
});

Deno.test("an admin of another organization may not buy", async () => {
  const answer = await refusedToken(async () => (await createOrganization(clients)).token);
  assertRefused(answer, 403, "not_organization_admin");
});

Deno.test("an admin at work in another organization of his may not buy", async () => {
  const answer = await refusedToken(async ({ adminId }) => {
    const { organization } = await clerk.createOrganization({ createdBy: adminId });
    return await tokenOf(clients, adminId, organization.id);
  });
  assertRefused(answer, 403, "not_organization_admin");
});

Deno.test("an unknown organization is answered like a foreign one", async () => {
  const answer = await refusedWish(clients, { organizationId: crypto.randomUUID() });
  assert.deepEqual(assertRefused(answer, 403, "not_organization_admin"), {});
});

for (
  const [status, code] of [
    ["pending", "organization_not_approved"],
    ["suspended", "organization_suspended"],
  ] as const
) {
  Deno.test(`a ${status} organization may not buy`, async () => {
    const organization = await createOrganization(clients);
    await admin.rpc("set_organization_status", {
      p_organization_id: organization.id,
      p_status: status,
      p_actor: "operator",
    }).throwOnError();
    const answer = await refused(clients, organization, () => clickBuy(clients, organization));
    assertRefused(answer, 403, code);
  });
}

Deno.test("an organization that was deleted in Clerk may not buy", async () => {
  const organization = await createOrganization(clients);
  await clerk.client.organizations.deleteOrganization(organization.clerkId);
  await clerk.control.settle({ contains: organization.clerkId });
  const answer = await refused(clients, organization, () => clickBuy(clients, organization));
  assertRefused(answer, 404, "organization_not_found");
});
