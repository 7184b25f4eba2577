import assert from "node:assert/strict";
import { stackEnv } from "../../stack.ts";
import { type Answer, assertRefused, callFunction, functionsOf } from "../api.ts";
import { buySeats, clickBuy, openCheckout, type Wish } from "../checkout.ts";
import { connect } from "../clients.ts";
import { addMembers, createOrganization, type Organization, tokenOf } from "../organizations.ts";
import { countRequests } from "../requests.ts";
import { intentsOf } from "../rows.ts";

const clients = connect(stackEnv());
const { admin, clerk, env, sql, stripeControl } = clients;
const NAME = "create-seat-checkout-session";

/** The answer to a wish; asserts that it left no intent and that Stripe was not asked for anything. */
async function refused(
  organization: Organization,
  click: () => Promise<Answer>,
): Promise<Answer> {
  const before = await intentsOf(sql, organization);
  const requests = await countRequests(stripeControl, { contains: organization.id });
  const answer = await click();
  assert.equal(await requests.hits(), 0, "Stripe was called");
  await requests.remove();
  assert.deepEqual(await intentsOf(sql, organization), before);
  return answer;
}

async function refusedWish(wish: Wish): Promise<Answer> {
  const organization = await createOrganization(clients);
  return await refused(organization, () => clickBuy(clients, organization, wish));
}

async function refusedToken(
  makeToken: (organization: Organization) => string | Promise<string>,
): Promise<Answer> {
  const organization = await createOrganization(clients);
  const token = await makeToken(organization);
  return await refused(organization, () => clickBuy(clients, { ...organization, token }));
}

/** The fields that an `invalid_request` names. */
function wrongFields(answer: Answer): string[] {
  const { issues } = assertRefused(answer, 400, "invalid_request");
  return [...new Set((issues as { path: string }[]).map(({ path }) => path))];
}

Deno.test("a call without a token is refused", async () => {
  const organization = await createOrganization(clients);
  const body = { organizationId: organization.id, plan: "pro", seats: 5, billingPeriod: "monthly" };
  for (const headers of [{}, { authorization: `Basic ${organization.token}` }]) {
    const answer = await refused(
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
  const answer = await refused(organization, () => clickBuy(clients, { ...organization, token }));
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
  const answer = await refusedWish({ organizationId: crypto.randomUUID() });
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
    const answer = await refused(organization, () => clickBuy(clients, organization));
    assertRefused(answer, 403, code);
  });
}

Deno.test("an organization that was deleted in Clerk may not buy", async () => {
  const organization = await createOrganization(clients);
  await clerk.client.organizations.deleteOrganization(organization.clerkId);
  await clerk.control.settle({ contains: organization.clerkId });
  const answer = await refused(organization, () => clickBuy(clients, organization));
  assertRefused(answer, 404, "organization_not_found");
});

Deno.test("an unknown plan is refused with those that there are", async () => {
  assert.deepEqual(assertRefused(await refusedWish({ plan: "gold" }), 400, "unknown_plan"), {
    plan: "gold",
    plans: ["pro", "max", "ultra"],
  });
});

Deno.test("an unknown billing period is refused with those that there are", async () => {
  const answer = await refusedWish({ billingPeriod: "weekly" });
  assert.deepEqual(assertRefused(answer, 400, "unknown_billing_period"), {
    billingPeriod: "weekly",
    billingPeriods: ["monthly", "yearly"],
  });
});

for (
  const [plan, seats, minSeats, maxSeats, fittingPlan] of [
    ["pro", 0, 1, 20, null],
    ["pro", 21, 1, 20, "max"],
    ["pro", 100, 1, 20, "ultra"],
    ["pro", 101, 1, 20, null],
    ["max", 20, 21, 50, "pro"],
    ["max", 51, 21, 50, "ultra"],
    ["ultra", 50, 51, 100, "max"],
    ["ultra", 1_000_000, 51, 100, null],
  ] as const
) {
  Deno.test(`${seats} seats of ${plan} are refused; ${fittingPlan ?? "no plan"} fits`, async () => {
    const answer = await refusedWish({ plan, seats });
    assert.deepEqual(assertRefused(answer, 422, "seats_out_of_bounds"), {
      plan,
      seats,
      minSeats,
      maxSeats,
      fittingPlan,
    });
  });
}

for (const seats of [-1, 1.5, 1_000_001, 1e100, "5", null, [5], true, undefined]) {
  Deno.test(`${JSON.stringify(seats) ?? "no"} seats are no number of seats`, async () => {
    const answer = await refusedWish({ seats });
    assert.deepEqual(wrongFields(answer), ["seats"]);
  });
}

for (
  const [what, wish, path] of [
    ["an organization id that is no UUID", { organizationId: "org_123" }, "organizationId"],
    ["no organization id", { organizationId: undefined }, "organizationId"],
    ["a plan that is no text", { plan: 7 }, "plan"],
    ["a plan's name of 65 characters", { plan: "p".repeat(65) }, "plan"],
    ["a billing period that is no text", { billingPeriod: null }, "billingPeriod"],
    [
      "an address of 2,049 characters",
      { successUrl: `${env.SITE_URL}/`.padEnd(2049, "x") },
      "successUrl",
    ],
    ["an address that is no text", { cancelUrl: {} }, "cancelUrl"],
    ["a plan with a NUL in its name", { plan: "pro\0" }, "plan"],
    ["a billing period with half a character", { billingPeriod: "\ud83d" }, "billingPeriod"],
    ["an address with a line break", { cancelUrl: `${env.SITE_URL}/\r\n` }, "cancelUrl"],
    ["a field that nobody knows", { coupon: "FREE" }, ""],
  ] as const
) {
  Deno.test(`${what} is refused with its name`, async () => {
    assert.deepEqual(wrongFields(await refusedWish(wish)), [path]);
  });
}

Deno.test("fewer seats than are in use are refused", async () => {
  const organization = await createOrganization(clients);
  await addMembers(clients, organization, 1);
  await clerk.invite(organization.clerkId);
  await clerk.control.settle({ contains: organization.clerkId });

  const answer = await refused(organization, () => clickBuy(clients, organization, { seats: 2 }));
  assert.deepEqual(assertRefused(answer, 409, "seats_below_usage"), { seats: 2, seatsUsed: 3 });
  await openCheckout(clients, organization, { seats: 3 });
});

Deno.test("an organization with a subscription is told to change that one", async () => {
  const organization = await createOrganization(clients);
  await buySeats(clients, organization, { seats: 7 });

  const answer = await refused(organization, () => clickBuy(clients, organization, { seats: 9 }));
  assert.deepEqual(assertRefused(answer, 409, "subscription_exists"), {
    status: "active",
    plan: "pro",
    purchasedSeats: 7,
    changeWith: "manage-seats",
  });
});

for (
  const [what, address] of [
    ["on a foreign origin", "https://elsewhere.example/billing"],
    ["on another port", "http://localhost:3001/billing"],
    ["of another scheme", env.SITE_URL.replace("http:", "https:")],
    ["on an origin that only begins like ours", `${env.SITE_URL}1/`],
    ["with credentials", env.SITE_URL.replace("//", "//user:password@")],
    ["with our origin as its credentials", `${env.SITE_URL}@elsewhere.example/`],
    ["that is a script", "javascript:alert(1)"],
    ["that is data", "data:text/html,hello"],
    ["that is relative", "/billing"],
    ["without a scheme", "//elsewhere.example/billing"],
    ["that is empty", ""],
  ] as const
) {
  Deno.test(`a return address ${what} is refused`, async () => {
    for (const field of ["successUrl", "cancelUrl"]) {
      const answer = await refusedWish({ [field]: address });
      const details = assertRefused(answer, 400, "return_url_not_allowed");
      assert.equal(details["field"], field);
      assert((details["allowedOrigins"] as string[]).includes(env.SITE_URL));
    }
  });
}
