import assert from "node:assert/strict";
import { startStack } from "../../../local/stack.ts";
import { callFunction, functionsOf } from "../api.ts";
import { type Clients, connect } from "../clients.ts";
import { assertAllAgree, digestOf } from "./at_size/agreement.ts";
import { corrupt } from "./at_size/corruption.ts";
import { createCustomers } from "./at_size/customers.ts";
import { loseInHistory } from "./at_size/history.ts";
import type { Success } from "./sync.ts";

/** How many organizations: CONTRIBUTING.md says how to run it with a thousand. */
const ORGANIZATIONS = Number(Deno.env.get("SEATKEEPER_ORGANIZATIONS") ?? 100);

/** Given, to see again what went wrong. */
const SEED = Number(Deno.env.get("SEATKEEPER_SEED") ?? Math.floor(Math.random() * 2 ** 31));

interface Report {
  readonly organizations: number;
  readonly failed: number;
  readonly drift: Readonly<Record<string, number>>;
  readonly more: boolean;
}

/** Sweeps as a scheduler does, until no organization is waiting. */
async function sweep(clients: Clients): Promise<Omit<Report, "more">> {
  const total = { organizations: 0, failed: 0, drift: {} as Record<string, number> };
  for (;;) {
    const { status, body } = await callFunction<Success<Report>>(
      functionsOf(clients),
      "sync-seats",
      {
        headers: { apikey: clients.env.SUPABASE_SECRET_KEY },
        body: { sweep: true, limit: 10_000 },
      },
    );
    assert.equal(status, 200, JSON.stringify(body));
    const { organizations, failed, drift, more } = body.data;
    total.organizations += organizations;
    total.failed += failed;
    for (const [kind, number] of Object.entries(drift)) {
      total.drift[kind] = (total.drift[kind] ?? 0) + number;
    }
    if (!more) return total;
  }
}

// A sweep works on every organization there is.
const failures: string[] = [];
const stack = await startStack({
  dataDir: null,
  ports: "free",
  log: (line) => line.includes("organization not synced") && failures.push(line),
});
const clients = connect(stack.env);
Deno.test.afterAll(async () => {
  await clients.sql.end();
  await stack.stop();
});

Deno.test("one sweep repairs lost webhooks and corrupt rows of many organizations, a second one writes nothing", async () => {
  console.log(`${ORGANIZATIONS} organizations, SEATKEEPER_SEED=${SEED}`);
  const customers = await createCustomers(clients, ORGANIZATIONS);
  await sweep(clients);
  await clients.clerk.control.settle();
  await assertAllAgree(clients, customers);

  const { lost, sent } = await loseInHistory(clients, customers, { seed: SEED, share: 0.05 });
  assert(lost > 0 && lost < sent / 10, `${lost} of ${sent} webhooks were lost`);
  const damaged = await corrupt(clients, { seed: SEED, share: 0.01 });
  await assert.rejects(assertAllAgree(clients, customers));

  const { drift } = await sweep(clients);
  console.log(`${lost} of ${sent} webhooks lost, ${damaged} rows damaged, drift:`, drift);
  assert.deepEqual(failures, []);
  await clients.clerk.control.settle();
  await assertAllAgree(clients, customers);

  const before = await digestOf(clients);
  const living = customers.filter(({ isDeleted }) => !isDeleted).length;
  assert.deepEqual(await sweep(clients), { organizations: living, failed: 0, drift: {} });
  assert.deepEqual(await digestOf(clients), before);
});
