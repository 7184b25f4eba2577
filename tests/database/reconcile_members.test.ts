import assert from "node:assert/strict";
import { assertRepaired, listedMembership, queued } from "./clerk_lists.ts";
import { only, withTransaction } from "./connection.ts";
import { numbersOf } from "./organizations.ts";
import { clerkStateOf, sync } from "./sync_leases.ts";

Deno.test("a member whom Clerk does not list is removed", () =>
  withTransaction(async (sql) => {
    const organization = await queued(sql, 2, 0);
    const clerk = await clerkStateOf(sql, organization);
    const [extra] = clerk.memberships.splice(0, 1);

    await assertRepaired(sql, organization, clerk, [
      { kind: "member_extra", id: extra?.userId, was: "active", is: "removed" },
    ]);

    assert.equal((await numbersOf(sql, organization)).members, 1);
  }));

Deno.test("a member of whom only Clerk knows is added", () =>
  withTransaction(async (sql) => {
    const organization = await queued(sql, 2, 0);
    const clerk = await clerkStateOf(sql, organization);
    clerk.memberships.push(listedMembership("Nina"));

    await assertRepaired(sql, organization, clerk, [
      { kind: "member_missing", id: "user_Nina", was: null, is: "active" },
    ]);

    const rows = await sql`
      select email, role from public.organization_members
      where organization_id = ${organization.id} and clerk_user_id = 'user_Nina'`;
    assert.deepEqual({ ...only(rows) }, { email: "nina@example.com", role: "org:member" });
  }));

Deno.test("a member whom we had removed but Clerk lists is a member again", () =>
  withTransaction(async (sql) => {
    const organization = await queued(sql, 2, 0);
    const clerk = await clerkStateOf(sql, organization);
    const [gone] = clerk.memberships;
    await sql`
      update public.organization_members set status = 'removed'
      where clerk_membership_id = ${gone?.id ?? null}`;

    await assertRepaired(sql, organization, clerk, [
      { kind: "member_missing", id: gone?.userId, was: "removed", is: "active" },
    ]);

    assert.equal((await numbersOf(sql, organization)).members, 2);
  }));

Deno.test("somebody whom we had removed, who asked again and was approved, is one member", () =>
  withTransaction(async (sql) => {
    const organization = await queued(sql, 1, 0);
    const clerk = await clerkStateOf(sql, organization);
    const [listed] = clerk.memberships;
    await sql`
      update public.organization_members set status = 'removed'
      where clerk_membership_id = ${listed?.id ?? null}`;
    await sql`
      insert into public.organization_members (organization_id, clerk_user_id, email, status)
      values (${organization.id}, ${listed?.userId ?? null}, ${listed?.email ?? null}, 'active')`;

    const drift = await sync(sql, organization, clerk);

    assert.deepEqual(drift.map(({ kind }) => kind), ["member_missing"]);
    assert.deepEqual(await sync(sql, organization, clerk), []);
    assert.equal((await numbersOf(sql, organization)).members, 1);
  }));

Deno.test("a role that differs is Clerk's", () =>
  withTransaction(async (sql) => {
    const organization = await queued(sql, 1, 0);
    const clerk = await clerkStateOf(sql, organization);
    const [member] = clerk.memberships;
    await sql`
      update public.organization_members set role = 'org:member'
      where organization_id = ${organization.id}`;

    await assertRepaired(sql, organization, clerk, [
      { kind: "member_role", id: member?.userId, was: "org:member", is: "org:admin" },
    ]);
  }));

Deno.test("a membership without a user is left alone", () =>
  withTransaction(async (sql) => {
    const organization = await queued(sql, 1, 0);
    const clerk = await clerkStateOf(sql, organization);
    clerk.memberships.push({ ...listedMembership("ghost"), userId: null });

    await assertRepaired(sql, organization, clerk, []);
  }));

Deno.test("an approved member whom Clerk does not list is kept while it is being asked, then a request again", () =>
  withTransaction(async (sql) => {
    const organization = await queued(sql, 1, 0);
    const clerk = await clerkStateOf(sql, organization);
    await sql`
      insert into public.organization_members (
        organization_id, clerk_user_id, status, updated_at, held_until
      ) values
        (${organization.id}, 'user_young', 'active', now() - interval '29 seconds',
          now() + interval '1 minute'),
        (${organization.id}, 'user_old', 'active', now() - interval '31 seconds',
          now() - interval '1 second')`;

    await assertRepaired(sql, organization, clerk, [
      { kind: "approval_released", id: "user_old", was: "active", is: "requested" },
    ]);

    assert.equal((await numbersOf(sql, organization)).members, 2);
  }));

Deno.test("a request to join is no business of Clerk's", () =>
  withTransaction(async (sql) => {
    const organization = await queued(sql, 1, 0);
    const clerk = await clerkStateOf(sql, organization);
    await sql`
      insert into public.organization_members (organization_id, clerk_user_id, status, updated_at)
      values (${organization.id}, 'user_asking', 'requested', now() - interval '1 year')`;

    await assertRepaired(sql, organization, clerk, []);
  }));
