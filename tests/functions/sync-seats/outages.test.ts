import assert from "node:assert/strict";
import { readRows } from "../../../local/demo/numbers.ts";
import type { FaultInput } from "../../../local/emulation/faults.ts";
import { stackEnv } from "../../stack.ts";
import { assertRefused } from "../api.ts";
import { buySeats, changeQuantity, type Purchase } from "../checkout.ts";
import { connect } from "../clients.ts";
import { createOrganization, type Organization, withoutClerkWebhooks } from "../organizations.ts";
import { addFault } from "../requests.ts";
import { closedAddress, withFunction } from "../served_function.ts";
import { losingEvents } from "../stripe-webhook/deliveries.ts";
import { callSync, kindsOf, sync } from "./sync.ts";

const clients = connect(stackEnv());
const { clerk, sql, stripeControl } = clients;

/** An organization of which both Clerk and Stripe know what Postgres does not. */
async function driftedOrganization(): Promise<{ organization: Organization; purchase: Purchase }> {
  const organization = await createOrganization(clients);
  const purchase = await buySeats(clients, organization);
  await losingEvents(clients, organization.id, () => changeQuantity(clients, purchase, 9));
  await withoutClerkWebhooks(clients, organization, () => clerk.addMember(organization.clerkId));
  return { organization, purchase };
}

const DRIFT = { member_missing: 1, subscription: 1 };

type Outage = [string, "clerk" | "stripe", string, Omit<FaultInput, "match">, number, string];

const members = "/memberships$";
const invitations = "/invitations$";
const refusal = {
  status: 401,
  body: { errors: [{ code: "authentication_invalid", message: "" }] },
};
// Longer than the function is ready to wait, so that it answers at once.
const later = { "retry-after": "61" };

const OUTAGES: Outage[] = [
  [
    "Clerk is down",
    "clerk",
    invitations,
    {
      kind: "fail",
      status: 503,
      headers: later,
    },
    503,
    "clerk_unavailable",
  ],
  [
    "Clerk is down when its second list is read",
    "clerk",
    members,
    {
      kind: "fail",
      status: 500,
      headers: later,
    },
    503,
    "clerk_unavailable",
  ],
  [
    "Clerk limits us for long",
    "clerk",
    invitations,
    {
      kind: "fail",
      status: 429,
      headers: later,
    },
    503,
    "clerk_unavailable",
  ],
  ["Clerk refuses our key", "clerk", invitations, { kind: "fail", ...refusal }, 502, "clerk_error"],
  [
    "Clerk refuses our key when its second list is read",
    "clerk",
    members,
    {
      kind: "fail",
      ...refusal,
    },
    502,
    "clerk_error",
  ],
  [
    "Stripe is down",
    "stripe",
    "^/v1/subscriptions$",
    {
      kind: "fail",
      status: 503,
      headers: later,
    },
    503,
    "stripe_unavailable",
  ],
  [
    "Stripe limits us for long",
    "stripe",
    "^/v1/subscriptions$",
    {
      kind: "fail",
      status: 429,
      headers: later,
    },
    503,
    "stripe_unavailable",
  ],
  [
    "Stripe refuses our key",
    "stripe",
    "^/v1/subscriptions$",
    {
      kind: "fail",
      status: 401,
      body: { error: { type: "invalid_request_error", message: "Invalid API Key provided" } },
    },
    502,
    "stripe_error",
  ],
];

/** What the requests of one sync to one provider are told by. */
function matchOf(
  { organization, purchase }: Awaited<ReturnType<typeof driftedOrganization>>,
  provider: "clerk" | "stripe",
  where: string,
): FaultInput["match"] {
  if (provider === "stripe") return { method: "GET", path: where, contains: purchase.customerId };
  return { path: `^/v1/organizations/${organization.clerkId}${where}` };
}

for (const [what, provider, where, fault, status, code] of OUTAGES) {
  Deno.test(`when ${what}, nothing is written, and the next sync repairs all`, async () => {
    const drifted = await driftedOrganization();
    const { organization } = drifted;
    const before = await readRows(sql, organization.clerkId);
    const control = provider === "clerk" ? clerk.control : stripeControl;
    const outage = await addFault(control, {
      ...fault,
      match: matchOf(drifted, provider, where),
      times: 0,
    });

    const answer = await callSync(clients, organization);
    const details = code === "clerk_error" ? { clerkCode: "authentication_invalid" } : {};
    assert.deepEqual(assertRefused(answer, status, code), details);
    assert.equal(answer.headers.get("retry-after"), status === 503 ? "61" : null);
    assert(await outage.hits() > 0);
    assert.deepEqual(await readRows(sql, organization.clerkId), before);
    await outage.remove();

    assert.deepEqual(kindsOf((await sync(clients, organization)).drift), DRIFT);
  });
}

Deno.test("when a provider cannot be reached, it is tried again for a while and then reported", async () => {
  await Promise.all((["clerk", "stripe"] as const).map(async (provider) => {
    const drifted = await driftedOrganization();
    const { organization } = drifted;
    const before = await readRows(sql, organization.clerkId);
    const where = provider === "clerk" ? invitations : "^/v1/subscriptions$";
    const control = provider === "clerk" ? clerk.control : stripeControl;
    const match = matchOf(drifted, provider, where);
    const outage = await addFault(control, { kind: "drop", match, times: 0 });
    assertRefused(await callSync(clients, organization), 503, `${provider}_unavailable`);
    assert(await outage.hits() >= 3);
    assert.deepEqual(await readRows(sql, organization.clerkId), before);
    await outage.remove();
    assert.deepEqual(kindsOf((await sync(clients, organization)).drift), DRIFT);
  }));
});

Deno.test("a short Retry-After is waited out, by Clerk's lists and by Stripe", async () => {
  const drifted = await driftedOrganization();
  const limited = { kind: "fail", status: 429, headers: { "retry-after": "1" } } as const;
  const limits = await Promise.all([
    addFault(clerk.control, { ...limited, match: matchOf(drifted, "clerk", invitations) }),
    addFault(clerk.control, { ...limited, match: matchOf(drifted, "clerk", members) }),
    addFault(stripeControl, {
      ...limited,
      match: matchOf(drifted, "stripe", "^/v1/subscriptions$"),
    }),
  ]);
  assert.deepEqual(kindsOf((await sync(clients, drifted.organization)).drift), DRIFT);
  for (const limit of limits) assert.equal(await limit.hits(), 1);
});

Deno.test("a limit that goes on is handed on, with how long to wait", async () => {
  const drifted = await driftedOrganization();
  const limit = await addFault(clerk.control, {
    kind: "fail",
    status: 429,
    headers: { "retry-after": "1" },
    match: matchOf(drifted, "clerk", invitations),
    times: 0,
  });
  const answer = await callSync(clients, drifted.organization);
  assertRefused(answer, 503, "clerk_unavailable");
  assert.equal(answer.headers.get("retry-after"), "1");
  assert.equal(await limit.hits(), 3);
  await limit.remove();
});

Deno.test("a customer whom Stripe does not know is an error, and no reason to take seats", async () => {
  const { organization } = await driftedOrganization();
  await sql`
    update public.organization_subscriptions
    set stripe_customer_id = ${`cus_${crypto.randomUUID()}`}
    where organization_id = ${organization.id}`;
  const before = await readRows(sql, organization.clerkId);
  assertRefused(await callSync(clients, organization), 502, "stripe_error");
  assert.deepEqual(await readRows(sql, organization.clerkId), before);
});

Deno.test("an organization that Clerk does not know is an error, and no reason to end it", async () => {
  const { organization } = await driftedOrganization();
  await withoutClerkWebhooks(
    clients,
    organization,
    () => clerk.client.organizations.deleteOrganization(organization.clerkId),
  );
  const before = await readRows(sql, organization.clerkId);
  for (let times = 0; times < 2; times++) {
    assertRefused(await callSync(clients, organization), 502, "clerk_error");
  }
  assert.deepEqual(await readRows(sql, organization.clerkId), before);
});

Deno.test("while the database cannot be reached no provider is asked", async () => {
  const { organization } = await driftedOrganization();
  const settings = {
    SUPABASE_URL: closedAddress(),
    CLERK_API_URL: closedAddress(),
    STRIPE_API_BASE: closedAddress(),
  };
  await withFunction(clients, "sync-seats", settings, async ({ base }) => {
    assertRefused(await callSync(clients, organization, base), 503, "database_unavailable");
  });
});
