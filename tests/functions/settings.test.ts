import assert from "node:assert/strict";
import { CHECKOUT } from "../../local/paths.ts";
import { functionEnvironment } from "../../local/stack_env.ts";
import { stackEnv } from "../stack.ts";
import { assertRefused, callFunction } from "./api.ts";
import { connect } from "./clients.ts";
import { createOrganization } from "./organizations.ts";
import { withFunction } from "./served_function.ts";
import { callSync } from "./sync-seats/sync.ts";

const clients = connect(stackEnv());
const all = functionEnvironment(clients.env);

/** What Supabase itself sets. */
const GIVEN = ["SUPABASE_URL", "SUPABASE_SECRET_KEYS", "SUPABASE_PUBLISHABLE_KEYS"];

/** What each function cannot do without. */
const NEEDED: Readonly<Record<string, readonly string[]>> = {
  "create-seat-checkout-session": [
    "SITE_URL",
    "STRIPE_SECRET_KEY",
    "CLERK_JWT_KEY",
    "CLERK_AUTHORIZED_PARTIES",
  ],
  "manage-seats": [
    "SITE_URL",
    "STRIPE_SECRET_KEY",
    "CLERK_JWT_KEY",
    "CLERK_AUTHORIZED_PARTIES",
  ],
  "manage-members": ["CLERK_SECRET_KEY", "CLERK_JWT_KEY", "CLERK_AUTHORIZED_PARTIES"],
  "stripe-webhook": ["STRIPE_SECRET_KEY", "CLERK_SECRET_KEY"],
  "clerk-webhook": ["CLERK_SECRET_KEY"],
  "health": [],
  "sync-seats": [
    "STRIPE_SECRET_KEY",
    "CLERK_SECRET_KEY",
    "CLERK_JWT_KEY",
    "CLERK_AUTHORIZED_PARTIES",
  ],
};

Deno.test("the settings of every function are known here", async () => {
  const functions: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(`${CHECKOUT}/supabase/functions`)) {
    if (isDirectory && name !== "_shared") functions.push(name);
  }
  assert.deepEqual(Object.keys(NEEDED).sort(), functions.sort());
});

/** The stack's settings without any but these. */
function only(names: readonly string[]): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(all).map(([name, value]) => [name, names.includes(name) ? value : undefined]),
  );
}

for (const [name, needed] of Object.entries(NEEDED)) {
  Deno.test(`${name} starts with the settings that it needs and nothing else`, () =>
    withFunction(clients, name, only([...GIVEN, ...needed]), async ({ base }) => {
      const { status } = await callFunction(base, name, { method: "PUT" });
      assert.equal(status, 405);
    }));

  if (needed.length === 0) continue;

  Deno.test(`${name} does not start without its settings, and names each that is missing`, async () => {
    const start = withFunction(clients, name, only(GIVEN), () => assert.fail("It started"));
    await assert.rejects(start, ({ message }: Error) => {
      assert.match(message, new RegExp(`Missing or malformed settings: ${needed.join(", ")}\\n`));
      return true;
    });
  });
}

Deno.test("a function whose setting is malformed does not start, and gives its value away nowhere", async () => {
  const settings = { SITE_URL: "hunter2", CLERK_AUTHORIZED_PARTIES: "hunter2" };
  const start = withFunction(
    clients,
    "create-seat-checkout-session",
    settings,
    () => assert.fail("It started"),
  );
  await assert.rejects(start, ({ message }: Error) => {
    assert.match(message, /settings: SITE_URL, CLERK_AUTHORIZED_PARTIES\n/);
    assert(!message.includes("hunter2"));
    return true;
  });
});

Deno.test("a project from before the publishable and secret keys works with its older ones", async () => {
  const { SUPABASE_SECRET_KEY, SUPABASE_PUBLISHABLE_KEY } = clients.env;
  const settings = {
    SUPABASE_SECRET_KEYS: undefined,
    SUPABASE_PUBLISHABLE_KEYS: undefined,
    SUPABASE_SERVICE_ROLE_KEY: SUPABASE_SECRET_KEY,
    SUPABASE_ANON_KEY: SUPABASE_PUBLISHABLE_KEY,
  };
  const organization = await createOrganization(clients);
  await Promise.all([
    withFunction(clients, "sync-seats", settings, async ({ base }) => {
      assert.equal((await callSync(clients, organization, base)).status, 200);
      const headers = { apikey: SUPABASE_SECRET_KEY };
      const answer = await callFunction(base, "sync-seats", { headers, body: { sweep: "no" } });
      assertRefused(answer, 400, "invalid_request");
    }),
    withFunction(clients, "health", settings, async ({ base }) => {
      const headers = { apikey: SUPABASE_SECRET_KEY };
      const { body } = await callFunction(base, "health", { method: "GET", headers });
      assert("attention" in Object(body));
    }),
    ...Object.keys(NEEDED).filter((name) => !["sync-seats", "health"].includes(name)).map((name) =>
      withFunction(clients, name, settings, async ({ base }) => {
        assert.equal((await callFunction(base, name, { method: "PUT" })).status, 405);
      })
    ),
  ]);
});

Deno.test("the environment is read in two places, and only what is named there", async () => {
  const readers: string[] = [];
  for await (const path of sourcesIn(`${CHECKOUT}/supabase/functions`)) {
    const text = await Deno.readTextFile(path);
    if (/Deno\.env|process\.env|import\.meta\.env/.test(text)) {
      readers.push(path.slice(path.lastIndexOf("/functions/") + "/functions/".length));
    }
  }
  assert.deepEqual(readers.sort(), ["_shared/config.ts", "_shared/database.ts"]);
});

async function* sourcesIn(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) yield* sourcesIn(path);
    else if (name.endsWith(".ts")) yield path;
  }
}
