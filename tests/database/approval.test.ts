import assert from "node:assert/strict";
import { clerkMembership, lapseHolds } from "./claims.ts";
import { approveMember } from "./commands.ts";
import { only, refusalIn, withTransaction } from "./connection.ts";
import { addRequest, requestBy, SIXTH_REFUSED } from "./join_requests.ts";
import {
  addInvitations,
  addMembers,
  makeOrganization,
  numbersOf,
  setSeats,
} from "./organizations.ts";
import { randomId } from "./random_id.ts";
import { sync } from "./sync_leases.ts";

Deno.test("approve_member() refuses the sixth of five", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 5, members: 3, invitations: 1 });
    const fifth = await addRequest(sql, organization);
    const sixth = await addRequest(sql, organization);
    assert.deepEqual(await approveMember(sql, fifth.id), { id: fifth.id, status: "active" });

    const refusal = await refusalIn(sql, (sql) => approveMember(sql, sixth.id));

    assert.deepEqual(refusal, SIXTH_REFUSED);
    assert.equal((await numbersOf(sql, organization)).used, 5);
  }));

Deno.test("approve_member() succeeds once a seat is free again", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 5 });
    const [leaving] = await addMembers(sql, organization, 5);
    const waiting = await addRequest(sql, organization);
    await refusalIn(sql, (sql) => approveMember(sql, waiting.id));

    await sql`
      update public.organization_members set status = 'removed' where id = ${leaving?.id ?? null}`;

    assert.equal((await approveMember(sql, waiting.id)).status, "active");
  }));

Deno.test("past the limit approve_member() is refused even to who is invited", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 5, members: 4 });
    const [invited] = await addInvitations(sql, organization, 1);
    const request = await requestBy(sql, organization, invited?.email ?? null);
    await setSeats(sql, organization, 3);
    assert.equal((await numbersOf(sql, organization)).overCapacity, true);

    const { code, details } = await refusalIn(sql, (sql) => approveMember(sql, request));

    assert.equal(code, "seats_full");
    assert.deepEqual(details, {
      seatLimit: 3,
      seatsUsed: 5,
      available: -2,
      needed: 0,
      missing: 2,
      cost: { seats: 2, plan: "pro", billingPeriod: "monthly", amount: 1800, currency: "usd" },
    });
  }));

Deno.test("approving someone who is invited takes no second seat", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 5, members: 4 });
    const [invited] = await addInvitations(sql, organization, 1);
    const request = await requestBy(sql, organization, invited?.email.toUpperCase() ?? null);

    assert.equal((await approveMember(sql, request)).status, "active");

    const { members, invitations, used } = await numbersOf(sql, organization);
    assert.deepEqual({ members, invitations, used }, { members: 5, invitations: 0, used: 5 });
  }));

Deno.test("approve_member() frees the seats of invitations whose time is over", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 2, members: 1 });
    const [expired] = await addInvitations(sql, organization, 1);
    await sql`
      update public.organization_invitations set expires_at = clock_timestamp()
      where id = ${expired?.id ?? null}`;
    const request = await addRequest(sql, organization);

    assert.equal((await approveMember(sql, request.id)).status, "active");

    const rows = await sql`
      select status, holds_seat from public.organization_invitations
      where id = ${expired?.id ?? null}`;
    assert.deepEqual({ ...only(rows) }, { status: "expired", holds_seat: false });
    assert.equal((await numbersOf(sql, organization)).used, 2);
  }));

Deno.test("approve_member() leaves invitations alone that are not over", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 5, members: 1, invitations: 3 });

    await approveMember(sql, (await addRequest(sql, organization)).id);

    assert.equal((await numbersOf(sql, organization)).invitations, 3);
  }));

Deno.test("approve_member() returns a member who is active already, and takes nothing", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 1 });
    const request = await addRequest(sql, organization);
    await approveMember(sql, request.id);

    assert.deepEqual(await approveMember(sql, request.id), { id: request.id, status: "active" });
    assert.equal((await numbersOf(sql, organization)).used, 1);
  }));

Deno.test("approve_member() refuses what is no open request", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 5 });
    const request = await addRequest(sql, organization);
    for (const status of ["rejected", "removed"]) {
      await sql`update public.organization_members set status = ${status} where id = ${request.id}`;
      const refusal = await refusalIn(sql, (sql) => approveMember(sql, request.id));
      assert.deepEqual([refusal.sqlstate, refusal.code], ["PT409", "request_closed"]);
      assert.deepEqual(refusal.details, { status });
    }

    const unknown = await refusalIn(sql, (sql) => approveMember(sql, crypto.randomUUID()));
    assert.deepEqual([unknown.sqlstate, unknown.code], ["PT404", "member_not_found"]);
  }));

Deno.test("approve_member() refuses a request of someone who has become a member", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 5 });
    const request = await addRequest(sql, organization);
    await sql`
      insert into public.organization_members (
        organization_id, clerk_membership_id, clerk_user_id, email, status
      ) values (${organization.id}, ${randomId("orgmem")}, ${request.userId}, null, 'active')`;

    const refusal = await refusalIn(sql, (sql) => approveMember(sql, request.id));

    assert.deepEqual([refusal.sqlstate, refusal.code], ["PT409", "already_member"]);
  }));

Deno.test("approving again renews the hold for as long as Clerk has no membership", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 5, queued: true });
    const request = await addRequest(sql, organization);
    await approveMember(sql, request.id);
    await lapseHolds(sql, organization);

    assert.equal((await approveMember(sql, request.id)).status, "active");

    // Clerk is at work on it: a sync that does not find the membership yet leaves the seat alone.
    assert.deepEqual(await sync(sql, organization, { memberships: [], invitations: [] }), []);
    assert.equal((await numbersOf(sql, organization)).used, 1);
    const membership = clerkMembership(request.userId, "ann@example.com");
    await sql`
      select public.settle_member(
        ${request.id}, ${JSON.stringify({ membership, removed: false })}::text::jsonb, 'user_admin'
      )`;
    await approveMember(sql, request.id);
    const rows = await sql`
      select held_until from public.organization_members where id = ${request.id}`;
    assert.equal(only(rows)["held_until"], null);
  }));
