import assert from "node:assert/strict";
import { startClerkEmulator } from "../../../local/clerk/server.ts";
import { startStack } from "../../../local/stack.ts";
import { buySeats, changeQuantity } from "../checkout.ts";
import { seatsOf } from "../clerk-webhook/people.ts";
import { connect } from "../clients.ts";
import {
  addInvitations,
  addMembers,
  createOrganization,
  leaveUnheard,
  type Organization,
  revokeUnheard,
  withoutClerkWebhooks,
} from "../organizations.ts";
import { addFault, countRequests, HOLDUP_MS } from "../requests.ts";
import { numbersOf, only } from "../rows.ts";
import { logged, withFunction } from "../served_function.ts";
import { losingEvents } from "../stripe-webhook/deliveries.ts";
import { buyUnheard } from "./drifted.ts";
import { callSync, limitPushed, type Report, sweepAll } from "./sync.ts";

// A sweep works on every organization there is: on the stack of the other tests it would repair
// what they look at.
const stack = await startStack({ dataDir: null, ports: "free" });
const clients = connect(stack.env);
const { clerk, env, sql } = clients;
Deno.test.afterAll(async () => {
  await sql.end();
  await stack.stop();
});

/** Sweeps, and returns the whole report. */
function reportOf(limit?: number, base?: string): Promise<Report> {
  return sweepAll(clients, limit, base);
}

/** Sweeps, and returns how the organizations were. */
async function sweep(
  limit?: number,
  base?: string,
): Promise<Pick<Report, "organizations" | "failed" | "drift">> {
  const { organizations, failed, drift } = await reportOf(limit, base);
  return { organizations, failed, drift };
}

/** Organizations of which nobody has heard yet; those of earlier tests leave the queue. */
async function freshOrganizations(count: number): Promise<Organization[]> {
  await sql`delete from private.organization_syncs`;
  const organizations = await Promise.all(
    Array.from({ length: count }, () => createOrganization(clients)),
  );
  // A sweep goes past a row that is being written, as the push of a limit does.
  await Promise.all(organizations.map((organization) => limitPushed(clients, organization)));
  return organizations;
}

/** Lets a member come to each organization without Postgres hearing of it. */
async function driftApart(organizations: readonly Organization[]): Promise<void> {
  await Promise.all(
    organizations.map((organization) =>
      withoutClerkWebhooks(clients, organization, () => clerk.addMember(organization.clerkId))
    ),
  );
}

async function deleteUnheard(organization: Organization): Promise<void> {
  await withoutClerkWebhooks(
    clients,
    organization,
    () => clerk.client.organizations.deleteOrganization(organization.clerkId),
  );
}

/** Which of these organizations have not been synced since they were made. */
async function unsynced(organizations: readonly Organization[]): Promise<string[]> {
  const rows = await sql<{ id: string }[]>`
    select id from public.organizations
    where id in ${sql(organizations.map(({ id }) => id))} and last_synced_at is null`;
  return rows.map(({ id }) => id);
}

async function isDeleted({ id }: Organization): Promise<boolean> {
  return only(
    await sql<{ deleted: boolean }[]>`
      select deleted_at is not null as deleted from public.organizations where id = ${id}`,
  ).deleted;
}

Deno.test("a sweep repairs every kind of drift, and a second one finds nothing", async () => {
  const [one, other, quiet] = await freshOrganizations(3);
  assert(one !== undefined && other !== undefined && quiet !== undefined);
  const purchase = await buySeats(clients, one);
  const [leaving = ""] = await addMembers(clients, one, 1);
  const [revoked = ""] = await addInvitations(clients, other, 1);
  await losingEvents(clients, one.id, () => changeQuantity(clients, purchase, 9));
  await leaveUnheard(clients, one, leaving);
  await revokeUnheard(clients, other, revoked);

  const drift = { subscription: 1, member_extra: 1, invitation_ended: 1 };
  assert.deepEqual(await sweep(), { organizations: 3, failed: 0, drift });
  const { limit, members } = await numbersOf(sql, one);
  assert.deepEqual({ limit, members }, { limit: 9, members: 1 });
  assert.deepEqual(await seatsOf(sql, other.clerkId), { members: 1, invitations: 0 });
  assert.deepEqual(await sweep(), { organizations: 3, failed: 0, drift: {} });

  const runs = await sql`
    select organizations, failed, drift from private.sync_runs order by id desc limit 2`;
  assert.deepEqual(runs.map((run) => ({ ...run })), [
    { organizations: 3, failed: 0, drift: {} },
    { organizations: 3, failed: 0, drift },
  ]);
  const actors = await sql`
    select distinct actor from public.billing_changes where cause = 'reconcile_organization'`;
  assert.deepEqual(actors.map(({ actor }) => actor), ["sync"]);
});

Deno.test("a sweep takes as many as it is told, the longest waiting first", async () => {
  const organizations = await freshOrganizations(5);
  assert.deepEqual(await sizeOf(reportOf(2)), [2, true]);
  const left = await unsynced(organizations);
  assert.equal(left.length, 3);
  assert.deepEqual(await sizeOf(reportOf(3)), [3, true]);
  assert.deepEqual(await unsynced(organizations), []);
  assert.deepEqual(await sizeOf(reportOf()), [5, false]);
});

async function sizeOf(report: Promise<Report>): Promise<[number, boolean]> {
  const { organizations, more } = await report;
  return [organizations, more];
}

Deno.test("sweeps at once repair each difference once", async () => {
  const organizations = await freshOrganizations(12);
  await driftApart(organizations);
  const reports = await Promise.all([sweep(), sweep(), sweep()]);
  const repaired = reports.map(({ drift }) => drift["member_missing"] ?? 0);
  assert.equal(repaired.reduce((sum, count) => sum + count), organizations.length);
  assert.deepEqual(new Set(reports.map(({ failed }) => failed)), new Set([0]));
  assert.deepEqual(await unsynced(organizations), []);
});

Deno.test("an organization that one sweep works on is left alone by another, and by its admin", async () => {
  const organizations = await freshOrganizations(3);
  const [busy] = organizations;
  assert(busy !== undefined);
  await driftApart([busy]);
  const path = `^/v1/organizations/${busy.clerkId}/memberships$`;
  const slow = await addFault(clerk.control, {
    match: { path },
    kind: "delay",
    delayMs: HOLDUP_MS,
  });
  const first = sweep();
  await slow.struck(1);
  // Each question is a round trip, so this is no busy wait.
  while ((await unsynced(organizations)).length > 1);
  const asked = await countRequests(clerk.control, { path });

  assert.deepEqual(await sweep(), { organizations: 2, failed: 0, drift: {} });
  assert.equal((await callSync(clients, busy)).status, 409);
  assert.equal(await asked.hits(), 0);
  await asked.remove();
  await slow.remove();
  assert.deepEqual((await first).drift, { member_missing: 1 });
});

Deno.test("an organization that fails is counted, does not hold up the others, and gets its turn", async () => {
  const organizations = await freshOrganizations(3);
  await driftApart(organizations);
  const [failing] = organizations;
  assert(failing !== undefined);
  const outage = await addFault(clerk.control, {
    match: { path: `^/v1/organizations/${failing.clerkId}/` },
    kind: "fail",
    status: 503,
    headers: { "retry-after": "61" },
    times: 0,
  });
  assert.deepEqual(await sweep(), { organizations: 2, failed: 1, drift: { member_missing: 2 } });
  assert.deepEqual(await unsynced(organizations), [failing.id]);
  await outage.remove();
  assert.deepEqual(await sweep(), { organizations: 3, failed: 0, drift: { member_missing: 1 } });
});

Deno.test("an organization that was deleted unheard is ended by a sweep that sees living ones", async () => {
  const [deleted, living] = await freshOrganizations(2);
  assert(deleted !== undefined && living !== undefined);
  await addMembers(clients, deleted, 1);
  await addInvitations(clients, deleted, 1);
  await deleteUnheard(deleted);

  assert.deepEqual(await sweep(), {
    organizations: 2,
    failed: 0,
    drift: { organization_deleted: 1 },
  });
  assert.equal(await isDeleted(deleted), true);
  assert.equal(await isDeleted(living), false);
  assert.deepEqual(await seatsOf(sql, deleted.clerkId), { members: 0, invitations: 0 });
  assert.deepEqual(await sweep(), { organizations: 1, failed: 0, drift: {} });

  const answers = await clerk.control.replay({ contains: deleted.clerkId, order: "shuffled" });
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
  assert.equal(await isDeleted(deleted), true);
  assert.deepEqual(await seatsOf(sql, deleted.clerkId), { members: 0, invitations: 0 });
});

Deno.test("a sweep that sees nothing but an unknown organization does not end it", async () => {
  const [deleted] = await freshOrganizations(1);
  assert(deleted !== undefined);
  await deleteUnheard(deleted);
  for (let times = 0; times < 2; times++) {
    assert.deepEqual(await sweep(), { organizations: 0, failed: 1, drift: {} });
  }
  assert.equal(await isDeleted(deleted), false);
});

Deno.test("with the key of another Clerk instance, which knows none of ours, nothing is ended", async () => {
  const organizations = await freshOrganizations(3);
  const elsewhere = await startClerkEmulator({
    statePath: null,
    secretKey: env.CLERK_SECRET_KEY,
    publishableKey: env.CLERK_PUBLISHABLE_KEY,
  });
  try {
    await withFunction(
      clients,
      "sync-seats",
      { CLERK_API_URL: elsewhere.url },
      async ({ base }) => {
        assert.deepEqual(await sweep(undefined, base), { organizations: 0, failed: 3, drift: {} });
      },
    );
  } finally {
    await elsewhere.close();
  }
  for (const organization of organizations) {
    assert.equal(await isDeleted(organization), false);
    assert.equal((await numbersOf(sql, organization)).members, 1);
  }
  assert.deepEqual(await sweep(), { organizations: 3, failed: 0, drift: {} });
});

Deno.test("events that Stripe failed to deliver are applied, once, when they are old enough", async () => {
  const [organization] = await freshOrganizations(1);
  assert(organization !== undefined);
  const { id } = await buyUnheard(clients, organization);
  assert.equal((await numbersOf(sql, organization)).limit, 0);
  // As if no sweep had looked for events yet: those before have seen to the last two hours.
  await sql`delete from private.sync_runs`;

  const report = await reportOf();

  assert(report.recoveredEvents > 0);
  assert.deepEqual(report.drift, {});
  assert.equal((await numbersOf(sql, organization)).limit, 5);
  const booked = await sql`
    select distinct actor from public.billing_changes
    where organization_id = ${organization.id} and kind = 'subscription'
      and after ->> 'stripe_seat_subscription_id' = ${id}`;
  assert.deepEqual(booked.map(({ actor }) => actor), ["stripe"]);
  assert.equal((await reportOf()).recoveredEvents, 0);
});

Deno.test("drift beyond measure is alerted", async () => {
  const organizations = await freshOrganizations(2);
  await driftApart(organizations);
  await sql`update private.settings set drift_alert = 1`;
  try {
    await withFunction(clients, "sync-seats", {}, async (served) => {
      await sweep(undefined, served.base);
      const [alert] = logged(served, "alert").filter(({ message }) => message === "drift");
      assert.equal(alert?.["differences"], 2);
      await sweep(undefined, served.base);
      assert.equal(logged(served, "alert").filter(({ message }) => message === "drift").length, 1);
    });
  } finally {
    await sql`update private.settings set drift_alert = default`;
  }
});
