import assert from "node:assert/strict";
import {
  commentedColumns,
  executableBy,
  privilegesOf,
  relations,
  ROLES,
  routines,
} from "./catalogs.ts";
import { only, type Sql, withConnections } from "./connection.ts";

const READABLE = [
  "public.billing_changes",
  "public.organization_invitations",
  "public.organization_members",
  "public.organization_seats",
  "public.organization_subscriptions",
  "public.organizations",
  "public.plan_prices",
  "public.plans",
  "public.seat_changes",
];

const CHECKS = [
  "public.check_organization_capacity(uuid)",
  "public.check_seat_availability(uuid)",
];

/** Row level security asks these for whoever reads. */
const POLICY_QUESTIONS = [
  "private.my_administered_organization_ids()",
  "private.my_organization_ids()",
];

/** What is called with the secret key. All but the checks write, so all but the checks are definer. */
const WRITING = [
  "public.abandon_checkout(uuid)",
  "public.abandon_sync(uuid, uuid)",
  "public.apply_clerk_event(text, jsonb)",
  "public.apply_stripe_event(jsonb, jsonb)",
  "public.approve_member(uuid, text, text)",
  "public.attach_checkout_session(uuid, text)",
  "public.attach_stripe_customer(uuid, text, text, text)",
  "public.begin_sweep()",
  "public.claim_organization_sync(uuid, text, integer)",
  "public.claim_seats(uuid, text, jsonb, boolean, text)",
  "public.claim_sync_batch(integer, integer, timestamp with time zone)",
  "public.expire_invitations(integer)",
  "public.finish_clerk_limit_push(uuid, uuid, integer, text)",
  "public.grant_seats(uuid, integer, text, text)",
  "public.health_report()",
  "public.hold_invitations(uuid, uuid[])",
  "public.is_up()",
  "public.mark_seat_change_stuck(uuid, text)",
  "public.preview_seat_change(uuid, text, integer, text, text)",
  "public.reconcile_organization(jsonb, jsonb, jsonb, text)",
  "public.record_sync_run(timestamp with time zone, integer, integer, jsonb, integer, bigint)",
  "public.reject_member(uuid, text, text)",
  "public.replace_join_code(uuid, text, text)",
  "public.request_membership(text, text, text)",
  "public.return_leases(uuid[])",
  "public.seat_summary(uuid, text)",
  "public.seat_usage(uuid, text, date, date)",
  "public.set_organization_status(uuid, text, text)",
  "public.settle_invitations(uuid, jsonb, text)",
  "public.settle_member(uuid, jsonb, text)",
  "public.settle_seat_change(uuid, jsonb, text)",
  "public.start_checkout(uuid, text, text, text, integer, text, text, text)",
  "public.start_clerk_limit_push(uuid)",
  "public.start_member_change(uuid, text, text, text, text)",
  "public.start_resend(uuid, text, uuid, text)",
  "public.start_seat_change(uuid, text, integer, text, text, text, text, timestamp with time zone, timestamp with time zone)",
  "public.sync_organization_counts(uuid)",
  "public.unknown_stripe_events(text[])",
];

/** What the design says of the columns that a name does not explain. */
const EXPLAINED = [
  "billing_changes.actor",
  "billing_changes.after",
  "billing_changes.before",
  "billing_changes.cause",
  "billing_changes.purchased_seats",
  "billing_changes.seats_used",
  "billing_changes.subject",
  "organization_invitations.clerk_invitation_id",
  "organization_invitations.holds_seat",
  "organization_invitations.status",
  "organization_members.clerk_membership_id",
  "organization_members.status",
  "organization_subscriptions.purchased_seats",
  "organization_subscriptions.renewal_seats",
  "organization_subscriptions.status",
  "organizations.join_code",
  "organizations.last_synced_at",
  "organizations.members_count",
  "organizations.pending_invitations_count",
  "organizations.seat_limit",
  "organizations.seats_used",
  "organizations.status",
  "organizations.subscription_plan",
  "plan_prices.lookup_key",
  "plans.included_seats",
  "plans.max_seats",
  "plans.min_seats",
  "plans.rank",
  "seat_changes.state",
  "settings.default_organization_status",
  "stripe_subscriptions.watermark",
  "webhook_events.event_id",
];

/** Reads the catalogs; changes nothing. */
function reading(read: (sql: Sql) => Promise<void>): Promise<void> {
  return withConnections(1, ([sql]) => read(sql));
}

function sameFor(names: readonly string[], privileges: readonly string[]) {
  return Object.fromEntries(names.map((name) => [name, privileges]));
}

Deno.test("anon can read, write and execute nothing of ours", () =>
  reading(async (sql) => {
    assert.deepEqual(await privilegesOf(sql, "anon"), {});
    assert.deepEqual(await executableBy(sql, "anon"), []);
  }));

Deno.test("authenticated can read what row level security lets through, and nothing else", () =>
  reading(async (sql) => {
    assert.deepEqual(await privilegesOf(sql, "authenticated"), sameFor(READABLE, ["SELECT"]));
  }));

Deno.test("authenticated can execute the two checks and what the policies ask", () =>
  reading(async (sql) => {
    assert.deepEqual(await executableBy(sql, "authenticated"), [...POLICY_QUESTIONS, ...CHECKS]);
  }));

Deno.test("service_role can read, and write nothing but the catalogue of plans", () =>
  reading(async (sql) => {
    const catalogue = ["public.plan_prices", "public.plans"];
    assert.deepEqual(await privilegesOf(sql, "service_role"), {
      ...sameFor(READABLE, ["SELECT"]),
      ...sameFor(catalogue, ["DELETE", "INSERT", "SELECT", "UPDATE"]),
    });
  }));

Deno.test("service_role can execute exactly the functions of the contract", () =>
  reading(async (sql) => {
    assert.deepEqual(await executableBy(sql, "service_role"), [...WRITING, ...CHECKS].sort());
  }));

Deno.test("of schema private only the policies' questions can be reached", () =>
  reading(async (sql) => {
    const rows = await sql<{ role: string; usage: boolean; creating: boolean }[]>`
      select role, pg_catalog.has_schema_privilege(role, 'private', 'usage') as usage,
        pg_catalog.has_schema_privilege(role, 'private', 'create')
          or pg_catalog.has_schema_privilege(role, 'public', 'create') as creating
      from unnest(string_to_array(${ROLES.join()}, ',')) as role`;

    assert.deepEqual(rows.map((row) => ({ ...row })), [
      { role: "anon", usage: false, creating: false },
      { role: "authenticated", usage: true, creating: false },
      { role: "service_role", usage: false, creating: false },
    ]);
  }));

Deno.test("every function of ours sets search_path to nothing", () =>
  reading(async (sql) => {
    const all = await routines(sql);
    assert(all.length > 50);
    const without = all.filter(({ settings }) => !settings.includes('search_path=""'));
    assert.deepEqual(without.map(({ name }) => name), []);
  }));

Deno.test("definer rights are held by the writing functions and the policies' questions alone", () =>
  reading(async (sql) => {
    const definers = (await routines(sql)).filter(({ definer }) => definer);
    assert.deepEqual(definers.map(({ name }) => name), [...POLICY_QUESTIONS, ...WRITING]);
    for (const { name, comment } of definers) {
      assert.match(comment ?? "", /\bDefiner: /, `${name} does not say why it is definer`);
    }
  }));

Deno.test("row level security is on for every table of ours", () =>
  reading(async (sql) => {
    const tables = (await relations(sql)).filter(({ kind }) => kind === "r" || kind === "p");
    assert(tables.length >= 13);
    const open = tables.filter(({ rowSecurity }) => !rowSecurity);
    assert.deepEqual(open.map(({ name }) => name), []);
  }));

Deno.test("every view of ours reads as its caller", () =>
  reading(async (sql) => {
    const views = (await relations(sql)).filter(({ kind }) => kind === "v");
    assert.deepEqual(views.map(({ name }) => name), ["public.organization_seats"]);
    const rows = await sql`
      select reloptions::text as options from pg_catalog.pg_class
      where oid = 'public.organization_seats'::regclass`;
    assert.equal(only(rows)["options"], "{security_invoker=true}");
  }));

Deno.test("every policy of ours is for reading, by authenticated", () =>
  reading(async (sql) => {
    const policies = await sql<{ name: string }[]>`
      select schemaname || '.' || tablename as name from pg_catalog.pg_policies
      where schemaname in ('public', 'private') order by 1`;
    const others = await sql`
      select from pg_catalog.pg_policies
      where schemaname in ('public', 'private')
        and (cmd <> 'SELECT' or roles <> '{authenticated}' or permissive <> 'PERMISSIVE')`;

    assert.equal(others.length, 0);
    const tables = READABLE.filter((name) => name !== "public.organization_seats");
    assert.deepEqual(policies.map(({ name }) => name), tables);
  }));

Deno.test("every table, view and function of ours has a comment", () =>
  reading(async (sql) => {
    const things = [...await relations(sql), ...await routines(sql)];
    const silent = things.filter((thing) =>
      (thing.comment ?? "") === "" && !("kind" in thing && thing.kind === "S")
    );
    assert.deepEqual(silent.map(({ name }) => name), []);
  }));

Deno.test("the columns that a name does not explain have a comment", () =>
  reading(async (sql) => {
    const commented = await commentedColumns(sql);
    assert.deepEqual(EXPLAINED.filter((name) => !commented.includes(name)), []);
  }));
