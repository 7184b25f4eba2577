import assert from "node:assert/strict";
import type postgres from "postgres";
import {
  refusalIn,
  rolledBack,
  type Transaction,
  withConnections,
  withTransaction,
} from "./connection.ts";
import { makeOrganization, type Organization } from "./organizations.ts";
import { abandon, claimBatch, claimOrganization, reconcile } from "./sync_leases.ts";

/*
 * Claims happen in transactions that are rolled back: the queue is the one thing that organizations
 * share, and a sweep that runs at the same time must find it as it was.
 */

/** More than are ever in the queue. */
const ALL = 1_000_000;

const WORKERS = 8;
const BATCH = 2;

/** An organization in the queue that was last tried so long ago. */
async function waiting(sql: Transaction, ago: string): Promise<Organization> {
  const organization = await makeOrganization(sql, { queued: true });
  await sql`
    update private.organization_syncs set attempted_at = now() - ${ago}::text::interval
    where organization_id = ${organization.id}`;
  return organization;
}

function idsOf(leases: readonly { organization_id: string }[]): string[] {
  return leases.map(({ organization_id }) => organization_id);
}

Deno.test("claim_sync_batch() gives those that have waited longest first", () =>
  withTransaction(async (sql) => {
    const second = await waiting(sql, "2 hours");
    const first = await waiting(sql, "3 hours");
    const third = await waiting(sql, "1 hour");
    const never = await makeOrganization(sql, { queued: true });
    const mine = [never, first, second, third].map(({ id }) => id);

    const claimed = idsOf(await claimBatch(sql, ALL)).filter((id) => mine.includes(id));

    assert.deepEqual(claimed, mine);
    assert.deepEqual(idsOf(await claimBatch(sql, ALL)).filter((id) => mine.includes(id)), []);
  }));

Deno.test("claim_sync_batch() gives no more than it is asked for", () =>
  withTransaction(async (sql) => {
    for (let count = 0; count < 3; count++) await waiting(sql, "1 year");

    assert.equal((await claimBatch(sql, 2)).length, 2);
    assert.equal((await claimBatch(sql, 1)).length, 1);
    assert.equal((await claimBatch(sql, 0)).length, 0);
  }));

Deno.test("claim_sync_batch() passes over those that were tried since the sweep began", () =>
  withTransaction(async (sql) => {
    const since = await waiting(sql, "1 minute");
    const before = await waiting(sql, "10 minutes");
    const [{ began } = { began: "" }] = await sql<{ began: string }[]>`
      select (now() - interval '5 minutes')::text as began`;

    const claimed = idsOf(await claimBatch(sql, ALL, began));

    assert(claimed.includes(before.id));
    assert(!claimed.includes(since.id));
  }));

Deno.test("workers at the same time never get the same organization", () =>
  withConnections(WORKERS, async (connections) => {
    const [observer] = connections;
    const mine = await observer.begin(commitWaiting);
    try {
      const claimed = await claimTogether([...connections]);

      assert.equal(claimed.length, WORKERS * BATCH);
      assert.equal(new Set(claimed).size, claimed.length);
    } finally {
      await observer`
        delete from private.organization_syncs
        where organization_id::text = any (string_to_array(${mine.join()}, ','))`;
    }
  }));

/** As many as all workers can claim. For any sweep but ours they were tried an hour from now. */
async function commitWaiting(sql: Transaction): Promise<string[]> {
  const ids: string[] = [];
  for (let count = 0; count < WORKERS * BATCH; count++) {
    ids.push((await waiting(sql, "-1 hour")).id);
  }
  return ids;
}

/** Each worker holds what it has claimed until all have theirs. */
async function claimTogether([worker, ...others]: postgres.Sql[]): Promise<string[]> {
  if (worker === undefined) return [];
  return await rolledBack(worker, async (sql) => [
    ...idsOf(await claimBatch(sql, BATCH)),
    ...await claimTogether(others),
  ]);
}

Deno.test("a lease says whom to ask for, and in which state the subscriptions are", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 9, queued: true });

    const { clerk_org_id, stripe_customer_id, ...lease } = await claimOrganization(
      sql,
      organization,
    );

    assert.equal(clerk_org_id, organization.clerkOrgId);
    assert.equal(stripe_customer_id, organization.stripeCustomerId);
    assert.equal(lease.subscription_version, 0);
  }));

Deno.test("claim_organization_sync() refuses who is not its admin, and a second at once", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 5, queued: true });
    const refused = async (claimed: Organization) => {
      const refusal = await refusalIn(sql, (sql) => claimOrganization(sql, claimed));
      return [refusal.sqlstate, refusal.code];
    };

    const foreign = ["PT403", "not_organization_admin"];
    assert.deepEqual(await refused({ ...organization, clerkOrgId: "org_other" }), foreign);
    assert.deepEqual(await refused({ ...organization, id: crypto.randomUUID() }), foreign);
    const lease = await claimOrganization(sql, organization);
    assert.deepEqual(await refused(organization), ["PT409", "sync_in_progress"]);
    assert(!idsOf(await claimBatch(sql, ALL)).includes(organization.id));

    await abandon(sql, lease);
    const again = await claimOrganization(sql, organization);
    assert.notEqual(again.lease_id, lease.lease_id);
  }));

Deno.test("claim_organization_sync() knows no deleted organization", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { queued: true });
    const lease = await claimOrganization(sql, organization);
    await reconcile(sql, lease, { deleted: true });

    const { code } = await refusalIn(sql, (sql) => claimOrganization(sql, organization));

    assert.equal(code, "organization_not_found");
  }));

Deno.test("a worker whose lease was taken over writes nothing", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 5, members: 3, queued: true });
    const late = await claimOrganization(sql, organization, 0);
    const current = await claimOrganization(sql, organization);
    const nobody = { memberships: [], invitations: [] };

    const refusal = await refusalIn(sql, (sql) => reconcile(sql, late, nobody));

    assert.deepEqual([refusal.sqlstate, refusal.code], ["PT409", "lease_lost"]);
    assert.equal(await memberCount(sql, organization), 3);
    await abandon(sql, late);
    assert.equal((await reconcile(sql, current, nobody)).memberCount, 0);
  }));

Deno.test("a lease that was given back writes nothing", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 5, members: 3, queued: true });
    const lease = await claimOrganization(sql, organization);
    await abandon(sql, lease);

    const { code } = await refusalIn(sql, (sql) =>
      reconcile(sql, lease, { memberships: [], invitations: [] }));

    assert.equal(code, "lease_lost");
    assert.equal(await memberCount(sql, organization), 3);
  }));

async function memberCount(sql: Transaction, { id }: Organization): Promise<unknown> {
  const [row] = await sql`select members_count from public.organizations where id = ${id}`;
  return row?.["members_count"];
}

Deno.test("one that keeps failing does not hold up the others", () =>
  withTransaction(async (sql) => {
    const failing = await waiting(sql, "3 hours");
    const next = await waiting(sql, "2 hours");
    const mine = [failing.id, next.id];
    await abandon(sql, await claimOrganization(sql, failing));

    const claimed = idsOf(await claimBatch(sql, ALL)).filter((id) => mine.includes(id));

    assert.deepEqual(claimed, [next.id, failing.id]);
  }));

Deno.test("record_sync_run() notes how a run went", () =>
  withTransaction(async (sql) => {
    await sql`
      select public.record_sync_run(now() - interval '1 minute', 7, 2, '{"member_missing": 3}')`;

    const [row] = await sql`
      select organizations, failed, drift from private.sync_runs order by id desc limit 1`;
    assert.deepEqual({ ...row }, { organizations: 7, failed: 2, drift: { member_missing: 3 } });
  }));
