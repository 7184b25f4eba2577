import assert from "node:assert/strict";
import { approveMember } from "./commands.ts";
import { only, refusalIn, type Transaction, withTransaction } from "./connection.ts";
import { addRequest } from "./join_requests.ts";
import { makeOrganization, numbersOf, type Organization } from "./organizations.ts";
import { assertCounted } from "./recount.ts";
import { second, stripeSubscription } from "./stripe_events.ts";
import { makeBuyer, report } from "./stripe_reports.ts";
import { clerkStateOf, sync } from "./sync_leases.ts";

/** Runs a statement past every trigger, as only who may switch them off can. */
async function behindTheTriggers(
  sql: Transaction,
  statement: string,
  { id }: Organization,
): Promise<void> {
  await sql`set local session_replication_role = replica`;
  await sql.unsafe(statement, [id]);
  await sql`set local session_replication_role = origin`;
}

function begun(sql: Transaction): Promise<Organization> {
  return makeOrganization(sql, { seats: 9, members: 3, invitations: 2, queued: true });
}

const RIGHT = { seatLimit: 9, members: 3, invitations: 2, used: 5, overCapacity: false };

for (
  const [name, statement, was] of [
    ["members_count", "update public.organizations set members_count = 8 where id = $1", "8 + 2"],
    [
      "both counts",
      "update public.organizations set members_count = 0, pending_invitations_count = 0 where id = $1",
      "0 + 0",
    ],
    [
      "who holds a seat",
      "update public.organization_invitations set holds_seat = false where organization_id = $1",
      "3 + 2",
    ],
    [
      "who holds a seat, counted so",
      `with wrong as (
         update public.organization_invitations set holds_seat = false where organization_id = $1
       )
       update public.organizations set pending_invitations_count = 0 where id = $1`,
      "3 + 0",
    ],
  ] as const
) {
  Deno.test(`one sync repairs ${name}, changed behind the triggers`, () =>
    withTransaction(async (sql) => {
      const organization = await begun(sql);
      const clerk = await clerkStateOf(sql, organization);
      await behindTheTriggers(sql, statement, organization);

      const drift = await sync(sql, organization, clerk);

      const expected = was === "3 + 2"
        ? []
        : [{ kind: "counts", id: organization.id, was, is: "3 + 2" }];
      assert.deepEqual(drift, expected);
      assert.deepEqual(await numbersOf(sql, organization), RIGHT);
      await assertCounted(sql, organization);
      assert.deepEqual(await sync(sql, organization, clerk), []);
    }));
}

Deno.test("an organization that ends is counted afresh first: no sync comes after it", () =>
  withTransaction(async (sql) => {
    const organization = await begun(sql);
    await behindTheTriggers(
      sql,
      `update public.organizations
       set members_count = 8, pending_invitations_count = 0, seat_limit = 90
       where id = $1`,
      organization,
    );

    const [ended] = await sync(sql, organization, { deleted: true });

    assert.equal(ended?.kind, "organization_deleted");
    assert.deepEqual(await numbersOf(sql, organization), {
      ...RIGHT,
      members: 0,
      invitations: 0,
      used: 0,
    });
  }));

Deno.test("an organization that ends keeps the seats that its subscription gives", () =>
  withTransaction(async (sql) => {
    const organization = await makeBuyer(sql);
    await report(sql, stripeSubscription(organization, second(0)), { quantity: 5 }, 0);
    await sql`insert into private.organization_syncs (organization_id) values (${organization.id})`;
    await behindTheTriggers(
      sql,
      `update public.organization_subscriptions set purchased_seats = 90, renewal_seats = 0
       where organization_id = $1`,
      organization,
    );

    await sync(sql, organization, { deleted: true });

    const rows = await sql<{ purchased: number; renewal: number }[]>`
      select purchased_seats as purchased, renewal_seats as renewal
      from public.organization_subscriptions where organization_id = ${organization.id}`;
    assert.deepEqual({ ...only(rows) }, { purchased: 5, renewal: 5 });
    assert.equal((await numbersOf(sql, organization)).seatLimit, 5);
  }));

Deno.test("one sync finds members that were slipped in past the triggers", () =>
  withTransaction(async (sql) => {
    const organization = await begun(sql);
    const clerk = await clerkStateOf(sql, organization);
    await behindTheTriggers(
      sql,
      `insert into public.organization_members (
         organization_id, clerk_membership_id, clerk_user_id, status, updated_at
       ) values ($1, gen_random_uuid(), 'user_thief', 'active', now() - interval '1 minute')`,
      organization,
    );

    const drift = await sync(sql, organization, clerk);

    assert.deepEqual(drift, [
      { kind: "counts", id: organization.id, was: "3 + 2", is: "4 + 2" },
      { kind: "member_extra", id: "user_thief", was: "active", is: "removed" },
    ]);
    assert.deepEqual(await numbersOf(sql, organization), RIGHT);
    assert.deepEqual(await sync(sql, organization, clerk), []);
  }));

Deno.test("one sync repairs a seat held by who is a member, when it was not counted", () =>
  withTransaction(async (sql) => {
    const organization = await begun(sql);
    const clerk = await clerkStateOf(sql, organization);
    const [invited] = clerk.invitations;
    await sql`
      insert into public.organization_members (organization_id, clerk_user_id, email, status)
      values (${organization.id}, 'user_ann', ${invited?.email ?? null}, 'active')`;
    await behindTheTriggers(
      sql,
      `with wrong as (
         update public.organization_invitations set holds_seat = true where organization_id = $1
       )
       update public.organizations set pending_invitations_count = 0 where id = $1`,
      organization,
    );

    await sync(sql, organization, null);

    await assertCounted(sql, organization);
    const { members, invitations } = await numbersOf(sql, organization);
    assert.deepEqual({ members, invitations }, { members: 4, invitations: 1 });
  }));

Deno.test("one sync repairs seat_limit and plan, changed behind the triggers", () =>
  withTransaction(async (sql) => {
    const organization = await begun(sql);
    await behindTheTriggers(
      sql,
      "update public.organizations set seat_limit = 90, subscription_plan = 'ultra' where id = $1",
      organization,
    );

    const drift = await sync(sql, organization, null);

    assert.deepEqual(drift, [{ kind: "seat_limit", id: organization.id, was: "90", is: "9" }]);
    assert.deepEqual(await numbersOf(sql, organization), RIGHT);
    const rows = await sql`
      select subscription_plan as plan from public.organizations where id = ${organization.id}`;
    assert.equal(only(rows)["plan"], "pro");
    assert.deepEqual(await sync(sql, organization, null), []);
  }));

Deno.test("one sync finds corrupt counts and what Clerk has ended", () =>
  withTransaction(async (sql) => {
    const organization = await begun(sql);
    const clerk = await clerkStateOf(sql, organization);
    const [ended] = clerk.invitations.splice(0, 1);
    await behindTheTriggers(
      sql,
      `with wrong as (
         update public.organization_invitations set holds_seat = false where organization_id = $1
       )
       update public.organizations set pending_invitations_count = 0 where id = $1`,
      organization,
    );

    const drift = await sync(sql, organization, clerk);

    assert.deepEqual(drift, [
      { kind: "counts", id: organization.id, was: "3 + 0", is: "3 + 2" },
      { kind: "invitation_ended", id: ended?.id, was: "pending", is: "revoked" },
    ]);
    assert.deepEqual(await sync(sql, organization, clerk), []);
    await assertCounted(sql, organization);
  }));

Deno.test("sync_organization_counts() says what it counts, and whether that had drifted", () =>
  withTransaction(async (sql) => {
    const organization = await begun(sql);
    const count = async () => ({
      ...only(await sql`select * from public.sync_organization_counts(${organization.id})`),
    });

    const counted = { members_count: 3, pending_invitations_count: 2 };
    assert.deepEqual(await count(), { ...counted, drifted: false });
    await behindTheTriggers(
      sql,
      "update public.organizations set members_count = 9 where id = $1",
      organization,
    );
    assert.deepEqual(await count(), { ...counted, drifted: true });
    assert.deepEqual(await count(), { ...counted, drifted: false });

    const unknown = await refusalIn(
      sql,
      (sql) => sql`select public.sync_organization_counts(${crypto.randomUUID()})`,
    );
    assert.deepEqual([unknown.sqlstate, unknown.code], ["PT404", "organization_not_found"]);
  }));

Deno.test("commands go on after corrupt counts were repaired", () =>
  withTransaction(async (sql) => {
    const organization = await begun(sql);
    await behindTheTriggers(
      sql,
      "update public.organizations set members_count = 900 where id = $1",
      organization,
    );
    const request = await addRequest(sql, organization);
    assert.equal(
      (await refusalIn(sql, (sql) => approveMember(sql, request.id))).code,
      "seats_full",
    );

    await sync(sql, organization, null);

    assert.equal((await approveMember(sql, request.id)).status, "active");
  }));
