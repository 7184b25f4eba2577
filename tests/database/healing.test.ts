import assert from "node:assert/strict";
import { only, refusalIn, type Transaction, withTransaction } from "./connection.ts";
import { addInvitations, makeOrganization, type Organization } from "./organizations.ts";
import { claimBatch, reconcile } from "./sync_leases.ts";

/** Everybody who is waiting; in a transaction that is rolled back. */
const ALL = 1_000_000;

/** An organization in the queue, last tried a minute ago, to whom Clerk has been told its limit. */
async function quietOrganization(sql: Transaction, invitations = 0): Promise<Organization> {
  const organization = await makeOrganization(sql, { seats: 9, queued: true, invitations });
  await sql`
    update private.organization_syncs set attempted_at = now() - interval '1 minute'
    where organization_id = ${organization.id}`;
  await sql`
    update public.organizations set clerk_limit_pushed = clerk_limit where id = ${organization.id}`;
  return organization;
}

async function isDue(sql: Transaction, { id }: Organization): Promise<boolean> {
  await sql`select private.mark_due_organizations(${ALL})`;
  const { due } = only(
    await sql<{ due: boolean }[]>`
      select due from private.organization_syncs where organization_id = ${id}`,
  );
  return due;
}

const OCCASIONS: Readonly<
  Record<string, (sql: Transaction, organization: Organization) => Promise<unknown>>
> = {
  "the paid period is over": (sql, { id }) =>
    sql`
      update public.organization_subscriptions set current_period_end = now() - interval '1 second'
      where organization_id = ${id}`,
  "the grace ended since it was last tried": (sql, { id }) =>
    sql`
      update public.organization_subscriptions
      set status = 'past_due', grace_until = now() - interval '1 second'
      where organization_id = ${id}`,
  "an invitation's hold has lapsed": (sql, { id }) =>
    sql`
      update public.organization_invitations set held_until = now() - interval '1 second'
      where organization_id = ${id}`,
  "a member's hold has lapsed": (sql, { id }) =>
    sql`
      insert into public.organization_members (organization_id, clerk_user_id, status, held_until)
      values (${id}, 'user_ann', 'active', now() - interval '1 second')`,
  "Clerk has not been told the limit": (sql, { id }) =>
    sql`update public.organizations set clerk_limit_pushed = null where id = ${id}`,
};

for (const [occasion, happen] of Object.entries(OCCASIONS)) {
  Deno.test(`an organization comes first when ${occasion}`, () =>
    withTransaction(async (sql) => {
      const organization = await quietOrganization(sql, 1);
      assert.equal(await isDue(sql, organization), false);

      await happen(sql, organization);

      assert.equal(await isDue(sql, organization), true);
    }));
}

Deno.test("an organization comes first when a change was left open, after a minute", () =>
  withTransaction(async (sql) => {
    const organization = await quietOrganization(sql);
    await sql`
      insert into public.seat_changes (
        organization_id, kind, plan, billing_period, seats, actor, expires_at, idempotency_key,
        stripe_subscription_id, plan_before, billing_period_before, seats_before,
        renewal_seats_before, proration_date, period_end
      ) values (
        ${organization.id}, 'now', 'pro', 'monthly', 10, 'user_ann', now() + interval '1 day', 'key',
        'sub_1', 'pro', 'monthly', 9, 9, now(), now() + interval '1 month'
      )`;
    assert.equal(await isDue(sql, organization), false);

    await sql`set local session_replication_role = replica`;
    await sql`
      update public.seat_changes set updated_at = now() - interval '61 seconds'
      where organization_id = ${organization.id}`;

    assert.equal(await isDue(sql, organization), true);
  }));

Deno.test("what is due is claimed before what has waited longest, and once", () =>
  withTransaction(async (sql) => {
    const waiting = await quietOrganization(sql);
    const due = await quietOrganization(sql);
    await sql`
      update private.organization_syncs set attempted_at = '-infinity'
      where organization_id = ${waiting.id}`;
    await sql`update private.organization_syncs set due = true where organization_id = ${due.id}`;
    const mine = [due.id, waiting.id];

    const claimed = (await claimBatch(sql, ALL)).map(({ organization_id }) => organization_id);

    assert.deepEqual(claimed.filter((id) => mine.includes(id)), mine);
    const { due: still } = only(
      await sql`select due from private.organization_syncs where organization_id = ${due.id}`,
    );
    assert.equal(still, false);
  }));

Deno.test("a hundred that keep failing do not keep the others waiting", () =>
  withTransaction(async (sql) => {
    await sql`delete from private.organization_syncs`;
    for (let count = 0; count < 3; count++) {
      const { id } = await quietOrganization(sql);
      await sql`update public.organizations set clerk_limit_pushed = null where id = ${id}`;
    }

    await sql`select private.mark_due_organizations(2)`;

    const { marked } = only(
      await sql`select count(*)::integer as marked from private.organization_syncs where due`,
    );
    assert.equal(marked, 2);
  }));

Deno.test("leases of one batch that are given back come first, and write nothing any more", () =>
  withTransaction(async (sql) => {
    const one = await quietOrganization(sql);
    const other = await quietOrganization(sql);
    const leases = (await claimBatch(sql, ALL))
      .filter(({ organization_id }) => [one.id, other.id].includes(organization_id));
    const [first, second] = leases;
    assert(first !== undefined && second !== undefined);

    await sql`select public.return_leases(array[${first.lease_id}]::uuid[])`;

    const nobody = { memberships: [], invitations: [] };
    const { code } = await refusalIn(sql, (sql) => reconcile(sql, first, nobody));
    assert.equal(code, "lease_lost");
    assert.equal((await reconcile(sql, second, nobody)).memberCount, 0);
    const { due } = only(
      await sql`
        select due from private.organization_syncs where organization_id = ${first.organization_id}`,
    );
    assert.equal(due, true);
  }));

Deno.test("a worker that wakes late, after its whole batch was taken over, writes nothing", () =>
  withTransaction(async (sql) => {
    const organizations = [await quietOrganization(sql), await quietOrganization(sql)];
    const mine = organizations.map(({ id }) => id);
    const late = (await claimBatch(sql, ALL, "infinity", 0))
      .filter(({ organization_id }) => mine.includes(organization_id));
    const taken = (await claimBatch(sql, ALL))
      .filter(({ organization_id }) => mine.includes(organization_id));
    assert.deepEqual([late.length, taken.length], [2, 2]);

    for (const lease of late) {
      const { code } = await refusalIn(
        sql,
        (sql) => reconcile(sql, lease, { memberships: [], invitations: [] }),
      );
      assert.equal(code, "lease_lost");
    }
  }));

Deno.test("expire_invitations() ends those whose time is over, in every organization", () =>
  withTransaction(async (sql) => {
    const organizations = [await makeOrganization(sql), await makeOrganization(sql)];
    for (const organization of organizations) await addInvitations(sql, organization, 2);
    for (const { id } of organizations) {
      await sql`
        update public.organization_invitations set expires_at = now() - interval '1 second'
        where id in (
          select id from public.organization_invitations where organization_id = ${id} limit 1
        )`;
    }

    await sql`select public.expire_invitations(${ALL})`;

    const rows = await sql`
      select pending_invitations_count as held from public.organizations
      where id = ${organizations[0]?.id ?? ""} or id = ${organizations[1]?.id ?? ""}`;
    assert.deepEqual(rows.map(({ held }) => held), [1, 1]);
  }));

Deno.test("begin_sweep() forgets events and runs after 90 days, and says where events go on", () =>
  withTransaction(async (sql) => {
    await sql`delete from private.sync_runs`;
    await sql`
      insert into private.webhook_events (provider, event_id, type, received_at) values
        ('stripe', 'evt_old', 'invoice.paid', now() - interval '91 days'),
        ('stripe', 'evt_young', 'invoice.paid', now() - interval '89 days')`;
    await sql`
      insert into private.sync_runs (started_at, finished_at, organizations, failed, drift, events_until)
      values
        (now(), now() - interval '91 days', 1, 0, '{}', null),
        (now(), now() - interval '1 day', 2, 0, '{}', '2026-01-01 00:00:00+00')`;

    const { begun } = only(await sql<{ begun: object }[]>`select public.begin_sweep() as begun`);

    assert.deepEqual(begun, { eventsSince: Date.UTC(2026, 0, 1) / 1000 });
    const events = await sql`
      select event_id from private.webhook_events where event_id in ('evt_old', 'evt_young')`;
    assert.deepEqual(events.map(({ event_id }) => event_id), ["evt_young"]);
    const runs = await sql`select organizations from private.sync_runs`;
    assert.deepEqual(runs.map(({ organizations }) => organizations), [2]);
  }));

Deno.test("record_sync_run() says when the drift is beyond measure, and whether some are left", () =>
  withTransaction(async (sql) => {
    await sql`delete from private.organization_syncs`;
    await sql`update private.settings set drift_alert = 3`;
    const record = async (drift: object) =>
      only(
        await sql<{ answer: object }[]>`
          select public.record_sync_run(now(), 1, 0, ${
          JSON.stringify(drift)
        }::text::jsonb) as answer`,
      ).answer;

    assert.deepEqual(await record({ counts: 1, seats: 2 }), {
      more: false,
      differences: 3,
      alert: false,
    });
    await quietOrganization(sql);
    assert.deepEqual(await record({ counts: 2, seats: 2 }), {
      more: true,
      differences: 4,
      alert: true,
    });
  }));
