import assert from "node:assert/strict";
import { stackEnv } from "../../stack.ts";
import { type Answer, assertRefused } from "../api.ts";
import { buySeats, clickBuy, openCheckout } from "../checkout.ts";
import { connect } from "../clients.ts";
import { addMembers, createOrganization } from "../organizations.ts";
import { refused, refusedWish } from "./refusals.ts";

const clients = connect(stackEnv());
const { clerk, env } = clients;

/** The fields that an `invalid_request` names. */
function wrongFields(answer: Answer): string[] {
  const { issues } = assertRefused(answer, 400, "invalid_request");
  return [...new Set((issues as { path: string }[]).map(({ path }) => path))];
}

Deno.test("an unknown plan is refused with those that there are", async () => {
  const answer = await refusedWish(clients, { plan: "gold" });
  assert.deepEqual(assertRefused(answer, 400, "unknown_plan"), {
    plan: "gold",
    plans: ["pro", "max", "ultra"],
  });
});

Deno.test("an unknown billing period is refused with those that there are", async () => {
  const answer = await refusedWish(clients, { billingPeriod: "weekly" });
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
    const answer = await refusedWish(clients, { plan, seats });
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
    const answer = await refusedWish(clients, { seats });
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
    assert.deepEqual(wrongFields(await refusedWish(clients, wish)), [path]);
  });
}

Deno.test("fewer seats than are in use are refused", async () => {
  const organization = await createOrganization(clients);
  await addMembers(clients, organization, 1);
  await clerk.invite(organization.clerkId);
  await clerk.control.settle({ contains: organization.clerkId });

  const answer = await refused(
    clients,
    organization,
    () => clickBuy(clients, organization, { seats: 2 }),
  );
  assert.deepEqual(assertRefused(answer, 409, "seats_below_usage"), { seats: 2, seatsUsed: 3 });
  await openCheckout(clients, organization, { seats: 3 });
});

Deno.test("an organization with a subscription is told to change that one", async () => {
  const organization = await createOrganization(clients);
  await buySeats(clients, organization, { seats: 7 });

  const answer = await refused(
    clients,
    organization,
    () => clickBuy(clients, organization, { seats: 9 }),
  );
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
      const answer = await refusedWish(clients, { [field]: address });
      const details = assertRefused(answer, 400, "return_url_not_allowed");
      assert.equal(details["field"], field);
      assert((details["allowedOrigins"] as string[]).includes(env.SITE_URL));
    }
  });
}
