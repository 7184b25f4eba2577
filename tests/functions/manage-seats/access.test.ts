import assert from "node:assert/strict";
import { stackEnv } from "../../stack.ts";
import { routes } from "../../../supabase/functions/manage-seats/handler.ts";
import { assertRefused, callFunction, functionsOf } from "../api.ts";
import { connect } from "../clients.ts";
import { addMembers, createOrganization, tokenOf, worthlessTokens } from "../organizations.ts";
import { countRequests } from "../requests.ts";
import { intentsOf } from "../rows.ts";
import { nameOf, type Route, ROUTES } from "./routes.ts";
import { callSeats, createSubscriber, type Subscriber } from "./seats.ts";

const clients = connect(stackEnv());
const { clerk, env, sql, stripeControl } = clients;

Deno.test("these tests know every route", () => {
  const app = routes({
    config: {
      SITE_URL: env.SITE_URL,
      ALLOWED_RETURN_ORIGINS: [],
      CLERK_JWT_KEY: env.CLERK_JWT_KEY,
      CLERK_AUTHORIZED_PARTIES: [],
    },
    database: clients.admin,
    stripe: clients.stripe,
    alert: () => Promise.resolve(),
    now: Date.now,
  });
  const ours = app.routes.map(({ method, path }) => {
    const below = path.replace("/manage-seats/:organizationId", "");
    return `${method} ${below === "" ? "/" : below}`;
  });
  assert.deepEqual(ours.sort(), ROUTES.map(nameOf).sort());
});

/** Calls every route with a token; asserts that each refuses so, and that nothing has happened. */
async function assertAllRefused(
  subscriber: Subscriber,
  token: string | undefined,
  expectedOf: (route: Route) => [number, string] | null,
): Promise<void> {
  const before = await intentsOf(sql, subscriber);
  const requests = await countRequests(stripeControl, { contains: subscriber.customerId });
  for (const route of ROUTES) {
    const expected = expectedOf(route);
    if (expected === null) continue;
    const answer = await callFunction(
      functionsOf(clients),
      `manage-seats/${subscriber.id}${route.route}`,
      { ...route.call, method: route.method, ...(token === undefined ? {} : { token }) },
    );
    assertRefused(answer, ...expected);
  }
  assert.equal(await requests.hits(), 0);
  await requests.remove();
  assert.deepEqual(await intentsOf(sql, subscriber), before);
}

Deno.test("a call without a token is refused", async () => {
  const subscriber = await createSubscriber(clients);
  await assertAllRefused(subscriber, undefined, () => [401, "missing_token"]);
});

Deno.test("a call with a token that is forged or over is refused", async () => {
  const subscriber = await createSubscriber(clients);
  for (const wrong of await worthlessTokens(clients, subscriber)) {
    await assertAllRefused(subscriber, wrong, () => [401, "invalid_token"]);
  }
});

Deno.test("a member may look, and change nothing", async () => {
  const subscriber = await createSubscriber(clients);
  const [userId = ""] = await addMembers(clients, subscriber, 1);
  const token = await tokenOf(clients, userId, subscriber.clerkId);

  await assertAllRefused(
    subscriber,
    token,
    ({ forMembers }) => forMembers ? null : [403, "not_organization_admin"],
  );
  const { status } = await callFunction(functionsOf(clients), `manage-seats/${subscriber.id}`, {
    method: "GET",
    token,
  });
  assert.equal(status, 200);
});

for (const who of ["the admin of another organization", "nobody's member"] as const) {
  Deno.test(`${who} can't even look`, async () => {
    const subscriber = await createSubscriber(clients);
    const token = who === "nobody's member"
      ? await clerk.sessionToken({ userId: (await clerk.createUser()).id, azp: env.SITE_URL })
      : (await createOrganization(clients)).token;

    await assertAllRefused(subscriber, token, ({ forMembers, readsFirst }) => [
      403,
      forMembers || (readsFirst && who !== "nobody's member")
        ? "not_organization_member"
        : "not_organization_admin",
    ]);
  });
}

Deno.test("an organization that nobody knows is not told from that of others", async () => {
  const { token } = await createOrganization(clients);
  for (const { method, route, call, forMembers, readsFirst } of ROUTES) {
    const unknown = { id: crypto.randomUUID(), token };
    const answer = await callSeats(clients, unknown, method, route, call);
    const code = forMembers || readsFirst ? "not_organization_member" : "not_organization_admin";
    assertRefused(answer, 403, code);
  }
});

Deno.test("whoever is taken out of the organization's admins may look at nothing but the seats", async () => {
  const subscriber = await createSubscriber(clients);
  const { publicUserData } = await clerk.addMember(subscriber.clerkId, { role: "org:admin" });
  const userId = publicUserData?.userId ?? "";
  const admin = await tokenOf(clients, userId, subscriber.clerkId);
  const look = (token: string) =>
    callFunction(functionsOf(clients), `manage-seats/${subscriber.id}/changes`, {
      method: "GET",
      token,
    });
  assert.equal((await look(admin)).status, 200);

  await clerk.client.organizations.updateOrganizationMembership({
    organizationId: subscriber.clerkId,
    userId,
    role: "org:member",
  });

  assertRefused(
    await look(await tokenOf(clients, userId, subscriber.clerkId)),
    403,
    "not_organization_admin",
  );
});

Deno.test("an admin may call every route", async () => {
  const subscriber = await createSubscriber(clients);
  for (const { method, route, call } of ROUTES) {
    const answer = await callSeats(clients, subscriber, method, route, call);
    if (route === "/scheduled-change") assertRefused(answer, 409, "nothing_scheduled");
    else assert.equal(answer.status, 200, `${method} ${route}: ${JSON.stringify(answer.body)}`);
  }
});
