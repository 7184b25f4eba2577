import assert from "node:assert/strict";
import { stackEnv } from "../../stack.ts";
import { type Answer, assertRefused, callFunction, functionsOf } from "../api.ts";
import { connect } from "../clients.ts";
import { withProxy } from "../manage-seats/proxy.ts";
import { createOrganization } from "../organizations.ts";
import { closedAddress, logged, type Settings, withFunction } from "../served_function.ts";

const clients = connect(stackEnv());
const { env } = clients;
const secret = { apikey: env.SUPABASE_SECRET_KEY };

/** Asks how the stack stands, with these headers. */
function ask(headers: HeadersInit = {}, method = "GET", base = functionsOf(clients)) {
  return callFunction(base, "health", { method, headers });
}

function assertNotKept({ headers }: Answer): void {
  assert.equal(headers.get("cache-control"), "no-store");
}

for (
  const [who, headers] of [
    ["anyone", {}],
    ["the publishable key", { apikey: env.SUPABASE_PUBLISHABLE_KEY }],
    ["a wrong secret key", { apikey: "sb_secret_wrong" }],
    ["a part of the secret key", { apikey: env.SUPABASE_SECRET_KEY.slice(0, -1) }],
    ["the secret key as a bearer token", { authorization: `Bearer ${env.SUPABASE_SECRET_KEY}` }],
  ] as const
) {
  Deno.test(`${who} learns that it is up, and nothing else`, async () => {
    const answer = await ask(headers);
    assert.deepEqual([answer.status, answer.body], [200, { status: "up" }]);
    assertNotKept(answer);
  });
}

Deno.test("an admin learns that it is up, and nothing else", async () => {
  const { token } = await createOrganization(clients);
  const { status, body } = await ask({ authorization: `Bearer ${token}` });
  assert.deepEqual([status, body], [200, { status: "up" }]);
});

Deno.test("HEAD is answered like GET, without a body", async () => {
  for (const headers of [{}, secret]) {
    const answer = await ask(headers, "HEAD");
    assert.deepEqual([answer.status, answer.body], [200, null]);
    assertNotKept(answer);
  }
});

Deno.test("with the secret key it says how everything stands", async () => {
  await createOrganization(clients);
  const answer = await ask(secret);
  assert.equal(answer.status, 200);
  assertNotKept(answer);
  const { status, at, webhooks, syncs, counts, attention } = answer.body as {
    readonly status: string;
    readonly at: string;
    readonly webhooks: Readonly<Record<string, { readonly events: number }>>;
    readonly syncs: { readonly oldestSeconds: number };
    readonly counts: Readonly<Record<string, number>>;
    readonly attention: readonly { readonly code: string; readonly count: number }[];
  };
  assert.equal(status, "up");
  assert(Math.abs(Date.parse(at) - Date.now()) < 60_000);
  assert((webhooks["clerk"]?.events ?? 0) >= 2);
  assert(syncs.oldestSeconds >= 0);
  // What the other tests do to the stack may want attention: every such code is one that is counted.
  for (const { code, count } of attention) assert.equal(counts[code], count, code);
});

Deno.test("other methods are refused", async () => {
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
    const answer = await ask(secret, method);
    assertRefused(answer, 405, "method_not_allowed");
    assert.equal(answer.headers.get("allow"), "GET, HEAD");
  }
});

/** Asserts that each caller learns that it is down, and no caller why. */
async function assertDown(settings: Settings): Promise<void> {
  await withFunction(clients, "health", settings, async (served) => {
    for (const headers of [{}, secret]) {
      const answer = await ask(headers, "GET", served.base);
      assert.deepEqual([answer.status, answer.body], [503, { status: "down" }]);
      assertNotKept(answer);
      const head = await ask(headers, "HEAD", served.base);
      assert.deepEqual([head.status, head.body], [503, null]);
    }
    const lines = logged(served, "error");
    assert.deepEqual(lines.map(({ message }) => message), Array(4).fill("database down"));
  });
}

Deno.test("it is down when the Data API is", () => assertDown({ SUPABASE_URL: closedAddress() }));

Deno.test("it is down when the database does not answer in time", () =>
  withProxy(env.SUPABASE_URL, (name) => name === "is_up" ? "hold" : "pass", async ({ url }) => {
    await assertDown({ SUPABASE_URL: url });
  }));

Deno.test("a report that fails is no word of health", () =>
  withProxy(
    env.SUPABASE_URL,
    (name) => name === "health_report" ? "drop" : "pass",
    async ({ url }) => {
      await withFunction(clients, "health", { SUPABASE_URL: url }, async ({ base }) => {
        assertRefused(await ask(secret, "GET", base), 503, "database_unavailable");
        assert.deepEqual((await ask({}, "GET", base)).body, { status: "up" });
      });
    },
  ));
