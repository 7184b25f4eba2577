import assert from "node:assert/strict";
import { dropConnection, listen, type WebHandler } from "../../local/emulation/listener.ts";
import { stackEnv } from "../stack.ts";
import { type Answer, assertRefused, callFunction } from "./api.ts";
import * as clerkWebhook from "./clerk-webhook/deliveries.ts";
import { membershipEvent, newCast } from "./clerk-webhook/published_events.ts";
import { connect } from "./clients.ts";
import { askToInvite } from "./manage-members/team.ts";
import { clickChange } from "./manage-seats/seats.ts";
import { createOrganization, type Organization } from "./organizations.ts";
import { closedAddress, logged, withFunction } from "./served_function.ts";
import * as stripeWebhook from "./stripe-webhook/deliveries.ts";
import { callSync } from "./sync-seats/sync.ts";

const clients = connect(stackEnv());

/** What only those may read who run the project. */
const INTERNAL = "postgres-7.internal:6543";

function fault(code: string, message: string, status: number): Response {
  const body = { code, message, details: `at ${INTERNAL}`, hint: INTERNAL };
  return Response.json(body, { status });
}

/** The ways in which a Data API that is in trouble answers, or a proxy in front of it. */
const TROUBLES: readonly [string, () => Response][] = [
  ["has lost its connection", () => fault("PGRST001", `Could not connect with ${INTERNAL}`, 503)],
  ["has no connection left", () => fault("PGRST003", "Timed out acquiring connection", 504)],
  ["is told that Postgres shuts down", () => fault("57P01", "terminating connection", 500)],
  ["is told that a statement took too long", () => fault("57014", "canceling statement", 500)],
  ["meets a deadlock", () => fault("40P01", "deadlock detected", 500)],
  ["does not know the function", () => fault("PGRST202", `Could not find it, ${INTERNAL}`, 404)],
  ["breaks a constraint", () => fault("23505", "duplicate key value", 409)],
  ["refuses our key", () => fault("PGRST301", "JWT is not valid", 401)],
  ["cannot be reached by its proxy", () => page(502)],
  ["is too slow for its proxy", () => page(504)],
  ["is limited by its proxy", () => page(429)],
  ["is out of order, and finds no word for it", () => Response.json(null, { status: 503 })],
  ["breaks off an answer", () => new Response('{"outcome": "app', { status: 200 })],
  ["drops the connection", dropConnection],
];

function page(status: number): Response {
  const headers = { "content-type": "text/html" };
  return new Response(`<html><h1>${INTERNAL}</h1></html>`, { status, headers });
}

/** One call of each function, by an organization's admin, a provider or the scheduler. */
const CALLS: Readonly<
  Record<string, ((base: string, organization: Organization) => Promise<Answer>)[]>
> = {
  "create-seat-checkout-session": [
    (base, { id, token }) =>
      callFunction(base, "create-seat-checkout-session", {
        token,
        body: { organizationId: id, plan: "pro", seats: 5, billingPeriod: "monthly" },
      }),
  ],
  "manage-seats": [
    (base, organization) =>
      clickChange(clients, organization, { seats: 9 }, crypto.randomUUID(), base),
  ],
  "manage-members": [
    (base, organization) => askToInvite(clients, organization, ["ada@example.com"], "", base),
  ],
  "sync-seats": [
    (base, organization) => callSync(clients, organization, base),
    (base) =>
      callFunction(base, "sync-seats", {
        headers: { apikey: clients.env.SUPABASE_SECRET_KEY },
        body: { sweep: true },
      }),
  ],
  "stripe-webhook": [
    (base) => {
      const event = { id: "evt_away", type: "invoice.paid", created: 1, data: { object: {} } };
      return stripeWebhook.deliverSigned(clients, event, {}, base);
    },
  ],
  "clerk-webhook": [
    (base) => {
      const event = membershipEvent(newCast(), { what: "created", who: "owner", seconds: 0 });
      return clerkWebhook.deliverSigned(clients, event, {}, base);
    },
  ],
};

for (const [name, calls] of Object.entries(CALLS)) {
  Deno.test(`${name} asks to try again, and tells nothing, whatever trouble the database is in`, async () => {
    const organization = await createOrganization(clients);
    let trouble: WebHandler = () => page(500);
    const database = await listen((request) => trouble(request));
    const settings = {
      SUPABASE_URL: database.url,
      // Nobody else is asked.
      STRIPE_API_BASE: closedAddress(),
      CLERK_API_URL: closedAddress(),
    };
    try {
      await withFunction(clients, name, settings, async (served) => {
        for (const [what, answer] of TROUBLES) {
          trouble = answer;
          for (const call of calls) assertAway(await call(served.base, organization), what);
        }
        const codes = logged(served, "error").map(({ code }) => code);
        assert.deepEqual(new Set(codes), new Set(["database_unavailable"]));
        assert.equal(codes.length, TROUBLES.length * calls.length);
      });
    } finally {
      await database.close();
    }
  });
}

function assertAway(answer: Answer, what: string): void {
  try {
    assert.deepEqual(assertRefused(answer, 503, "database_unavailable"), {});
    assert.match(answer.headers.get("retry-after") ?? "", /^\d+$/);
    assert(!JSON.stringify(answer.body).includes(INTERNAL), "It tells what is internal");
  } catch (cause) {
    throw new Error(`When the Data API ${what}: ${answer.status}`, { cause });
  }
}
