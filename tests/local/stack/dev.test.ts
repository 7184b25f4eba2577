import assert from "node:assert/strict";
import postgres from "postgres";
import { type DevStack, newDataPath, startDev } from "./dev_stack.ts";
import { descendantsOf, stillThere } from "./processes.ts";

/** Ada's organizations, as a client app reads them. */
async function readOrganizations(stack: DevStack, token: string): Promise<unknown> {
  const { SUPABASE_URL, SUPABASE_PUBLISHABLE_KEY = "" } = stack.variables;
  const response = await fetch(`${SUPABASE_URL}/rest/v1/organizations?select=id,name,seats_used`, {
    headers: { apikey: SUPABASE_PUBLISHABLE_KEY, authorization: `Bearer ${token}` },
  });
  return await response.json();
}

/** Resolves once nothing listens there any more; there is no event to wait for. */
async function untilClosed(address: string): Promise<void> {
  const { hostname, port } = new URL(address);
  for (;;) {
    try {
      (await Deno.connect({ hostname, port: Number(port) })).close();
    } catch {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

Deno.test("npm run dev starts everything, and Ctrl-C leaves nothing behind", async () => {
  const data = newDataPath();
  const stack = await startDev(data);
  const { ADMIN_TOKEN = "", ORGANIZATION_ID, DATABASE_URL = "", SUPABASE_URL = "" } =
    stack.variables;
  assert.deepEqual(await readOrganizations(stack, ADMIN_TOKEN), [
    { id: ORGANIZATION_ID, name: "Acme", seats_used: 2 },
  ]);
  const children = await descendantsOf(stack.pid);
  assert.ok(children.length > 0);
  assert.equal(await stack.end("SIGINT"), 0);
  assert.deepEqual(await stillThere(children), []);
  await untilClosed(SUPABASE_URL);
  await untilClosed(DATABASE_URL);
  await Deno.remove(data, { recursive: true });
});

Deno.test("npm run dev keeps data and keys between runs, until told to forget them", async () => {
  const data = newDataPath();
  const first = await startDev(data);
  assert.equal(await first.end("SIGTERM"), 0);
  const second = await startDev(data);
  const kept = ["SUPABASE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET", "CLERK_JWT_KEY", "ORGANIZATION_ID"];
  for (const name of kept) assert.equal(second.variables[name], first.variables[name]);
  const token = first.variables["ADMIN_TOKEN"] ?? "";
  assert.deepEqual(await readOrganizations(second, token), [
    { id: first.variables["ORGANIZATION_ID"], name: "Acme", seats_used: 2 },
  ]);
  assert.equal(await second.end("SIGTERM"), 0);
  const third = await startDev(data, "--fresh");
  for (const name of kept) assert.notEqual(third.variables[name], first.variables[name]);
  assert.equal(await third.end("SIGTERM"), 0);
  await Deno.remove(data, { recursive: true });
});

Deno.test("a stack that is killed takes its processes along, and starts again", async () => {
  const data = newDataPath();
  const killed = await startDev(data);
  const { DATABASE_URL = "", ORGANIZATION_ID, ADMIN_TOKEN = "" } = killed.variables;
  await killed.end("SIGKILL");
  await untilClosed(DATABASE_URL);
  const again = await startDev(data);
  assert.deepEqual(await readOrganizations(again, ADMIN_TOKEN), [
    { id: ORGANIZATION_ID, name: "Acme", seats_used: 2 },
  ]);
  assert.equal(await again.end("SIGTERM"), 0);
  await Deno.remove(data, { recursive: true });
});

Deno.test("two stacks run side by side, but not on the same data", async () => {
  const [data, otherData] = [newDataPath(), newDataPath()];
  const stack = await startDev(data);
  await assert.rejects(startDev(data), /Another stack is using/);
  await assert.rejects(startDev(data, "--fresh"), /Another stack is using/);
  const other = await startDev(otherData);
  const [one, two] = [stack, other].map(({ variables }) =>
    postgres(variables["DATABASE_URL"] ?? "")
  );
  assert.ok(one !== undefined && two !== undefined);
  await one`update private.settings set default_organization_status = 'pending'`;
  const [row] = await two`select default_organization_status as status from private.settings`;
  assert.equal(row?.["status"], "approved");
  await Promise.all([one.end(), two.end()]);
  assert.deepEqual(await Promise.all([stack.end("SIGINT"), other.end("SIGINT")]), [0, 0]);
  for (const path of [data, otherData]) await Deno.remove(path, { recursive: true });
});

Deno.test("npm run dev leaves a folder alone that holds something else", async () => {
  const data = newDataPath();
  await Deno.mkdir(data, { recursive: true });
  await Deno.writeTextFile(`${data}/photograph`, "");
  await assert.rejects(startDev(data, "--fresh"), /something that is not a stack's data/);
  assert.equal(await Deno.readTextFile(`${data}/photograph`), "");
  await Deno.remove(data, { recursive: true });
});
