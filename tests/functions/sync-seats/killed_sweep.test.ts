import assert from "node:assert/strict";
import { startStack } from "../../../local/stack.ts";
import { IS_LONG } from "../../races/rounds.ts";
import { assertInvariants } from "../../simulation/invariants.ts";
import { connect } from "../clients.ts";
import { atEach, type Point, type Run, somePointsOf, watch } from "../killing.ts";
import type { Subscriber } from "../manage-seats/seats.ts";
import { createOrganization, type Organization, withoutClerkWebhooks } from "../organizations.ts";
import { numbersOf, only } from "../rows.ts";
import { assertRepaired, buyUnheard, createDrifted, lapseLease } from "./drifted.ts";
import { callSweep, callSync, limitPushed, sweepAll } from "./sync.ts";

// A sweep works on every organization there is.
const stack = await startStack({ dataDir: null, ports: "free" });
const clients = connect(stack.env);
const { clerk, sql } = clients;
Deno.test.afterAll(async () => {
  await sql.end();
  await stack.stop();
});

const SWEEP: Run = { name: "sync-seats", call: (base) => callSweep(clients, undefined, base) };

/** What a sweep finds to do, one organization for each. */
interface World {
  readonly drifted: Subscriber;
  /** Clerk has deleted it unheard. */
  readonly deleted: Organization;
  /** Stripe has failed to deliver what it has bought. */
  readonly buyer: Organization;
}

/** Makes a world; earlier ones leave the queue, and no sweep has looked for events yet. */
async function createWorld(): Promise<World> {
  await sql`delete from private.organization_syncs`;
  await sql`delete from private.sync_runs`;
  const [drifted, deleted, buyer] = await Promise.all([
    createDrifted(clients),
    createOrganization(clients),
    createOrganization(clients),
  ]);
  // A sweep goes past a row that is being written, as the push of a limit does.
  await Promise.all([deleted, buyer].map((organization) => limitPushed(clients, organization)));
  await buyUnheard(clients, buyer);
  await withoutClerkWebhooks(
    clients,
    deleted,
    () => clerk.client.organizations.deleteOrganization(deleted.clerkId),
  );
  return { drifted, deleted, buyer };
}

function everyOneOf({ drifted, deleted, buyer }: World): Organization[] {
  return [drifted, deleted, buyer];
}

/** Asserts that everything was done that there was to do, and once. */
async function assertDone({ drifted, deleted, buyer }: World): Promise<void> {
  await assertRepaired(clients, drifted);
  const { isDeleted } = only(
    await sql<{ isDeleted: boolean }[]>`
      select deleted_at is not null as "isDeleted" from public.organizations
      where id = ${deleted.id}`,
  );
  assert.equal(isDeleted, true);
  assert.equal((await numbersOf(sql, buyer)).limit, 5);
  const bookings = await sql`
    select from public.billing_changes
    where organization_id = ${buyer.id} and (after ->> 'purchased_seats')::integer = 5`;
  assert.equal(bookings.length, 1);
  for (const organization of [drifted, deleted, buyer]) await assertInvariants(sql, organization);
}

async function assertHeals(point: Point): Promise<void> {
  const world = await createWorld();
  await watch(clients, SWEEP, point);
  for (const organization of everyOneOf(world)) {
    await assertInvariants(sql, organization);
    await lapseLease(clients, organization);
  }

  assert.equal((await sweepAll(clients)).failed, 0);
  await assertDone(world);
  const { drift, failed, recoveredEvents } = await sweepAll(clients);
  assert.deepEqual({ drift, failed, recoveredEvents }, {
    drift: {},
    failed: 0,
    recoveredEvents: 0,
  });
}

/** What the sync of one organization asks: killed.test.ts kills it there. */
async function requestsOfOne(): Promise<readonly string[]> {
  const organization = await createDrifted(clients);
  return await watch(clients, {
    name: "sync-seats",
    call: (base) => callSync(clients, organization, base),
  });
}

Deno.test("killed at any request, a sweep: all agree after the next one", async () => {
  const world = await createWorld();
  const requests = await watch(clients, SWEEP);
  await assertDone(world);
  for (const request of ["POST apply_stripe_event", "POST claim_sync_batch", "PATCH org"]) {
    assert(requests.includes(request), requests.join());
  }
  const others = await requestsOfOne();
  const points = somePointsOf(requests)
    .filter(({ request }) => IS_LONG || !others.includes(String(request)));
  // One after the other: each sweep would do the work of the others.
  await atEach(points, assertHeals, 1);
});
