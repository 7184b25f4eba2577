import assert from "node:assert/strict";
import { claimSeats, clerkMembership, lapseHolds, people } from "./claims.ts";
import { approveMember } from "./commands.ts";
import { only, refusalIn, type Sql, withTransaction } from "./connection.ts";
import { addRequest } from "./join_requests.ts";
import { addMembers, makeOrganization, numbersOf, type Organization } from "./organizations.ts";
import { assertCounted } from "./recount.ts";
import { clerkStateOf, sync } from "./sync_leases.ts";

interface StartedChange {
  readonly memberId: string;
  readonly role: string | null;
  readonly roleBefore: string;
}

/** Begins to give a member another role, or with none to remove him. */
async function startChange(
  sql: Sql,
  { id, clerkOrgId }: Organization,
  userId: string,
  role: string | null,
): Promise<StartedChange> {
  return only(
    await sql<{ change: StartedChange }[]>`
      select public.start_member_change(
        ${id}, ${clerkOrgId}, ${userId}, ${role}, 'user_admin'
      ) as change`,
  ).change;
}

/** Records how Clerk answered; the member as it is then. */
async function settle(
  sql: Sql,
  memberId: string,
  result: object,
): Promise<{ status: string; role: string; held: boolean }> {
  return only(
    await sql<{ status: string; role: string; held: boolean }[]>`
      select status, role, held_until is not null as held
      from public.settle_member(${memberId}, ${JSON.stringify(result)}::text::jsonb, 'user_admin')`,
  );
}

/** An organization with an admin, another member, and a role that takes no seat. */
async function withAuditors(sql: Sql, seats = 2) {
  await sql`update private.settings set seatless_roles = '{org:auditor}'`;
  const organization = await makeOrganization(sql, { seats, queued: true });
  const [admin, member] = await addMembers(sql, organization, 2);
  assert(admin !== undefined && member !== undefined);
  return { organization, admin, member };
}

Deno.test("an approval that Clerk refuses is a request again; what it takes is a member", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 1 });
    const request = await addRequest(sql, organization);
    await approveMember(sql, request.id);
    assert.equal((await numbersOf(sql, organization)).used, 1);

    const refused = await settle(sql, request.id, { refused: true });
    assert.deepEqual(refused, { status: "requested", role: "org:member", held: false });
    assert.equal((await numbersOf(sql, organization)).used, 0);

    await approveMember(sql, request.id);
    const membership = clerkMembership(request.userId, "new@example.com");
    const taken = await settle(sql, request.id, { membership, removed: false });
    assert.deepEqual(taken, { status: "active", role: "org:member", held: false });
    const late = await settle(sql, request.id, { refused: true });
    assert.equal(late.status, "active");
    await assertCounted(sql, organization);
  }));

Deno.test("a removal frees the seat once Clerk has done it, and the last admin stays", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 5 });
    const [admin, member] = await addMembers(sql, organization, 2);
    assert(admin !== undefined && member !== undefined);
    const refusal = async (userId: string, role: string | null) =>
      (await refusalIn(sql, (sql) => startChange(sql, organization, userId, role))).code;

    assert.equal(await refusal(admin.userId, null), "last_admin");
    assert.equal(await refusal(admin.userId, "org:member"), "last_admin");
    assert.equal(await refusal("user_nobody", null), "member_not_found");
    const { memberId } = await startChange(sql, organization, member.userId, null);
    assert.equal((await numbersOf(sql, organization)).used, 2);
    assert.equal(await refusal(member.userId, "org:admin"), "member_change_in_progress");
    const membership = { ...clerkMembership(member.userId, member.email), id: member.clerkId };
    const gone = await settle(sql, memberId, { membership, removed: true });

    assert.deepEqual(gone, { status: "removed", role: "org:member", held: false });
    assert.equal((await numbersOf(sql, organization)).used, 1);
  }));

Deno.test("of two admins who remove each other at once one stays", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 5 });
    const [ann, bob] = await addMembers(sql, organization, 2);
    assert(ann !== undefined && bob !== undefined);
    await sql`update public.organization_members set role = 'org:admin' where id = ${bob.id}`;

    await startChange(sql, organization, ann.userId, null);
    const { code } = await refusalIn(
      sql,
      (sql) => startChange(sql, organization, bob.userId, null),
    );

    assert.equal(code, "last_admin");
  }));

Deno.test("a role that takes no seat frees it, for members and invitations, and Clerk's limit grows", () =>
  withTransaction(async (sql) => {
    const { organization, member } = await withAuditors(sql);
    assert.equal((await numbersOf(sql, organization)).used, 2);
    const { memberId } = await startChange(sql, organization, member.userId, "org:auditor");
    assert.equal((await numbersOf(sql, organization)).used, 2);

    const membership = {
      ...clerkMembership(member.userId, member.email, "org:auditor"),
      id: member.clerkId,
    };
    await settle(sql, memberId, { membership, removed: false });

    assert.equal((await numbersOf(sql, organization)).used, 1);
    const [seat, auditor] = await claimSeats(sql, organization, [
      ...people(1),
      { email: "auditor@example.com", role: "org:auditor" },
    ]);
    assert.deepEqual([seat?.outcome, auditor?.outcome], ["reserved", "reserved"]);
    assert.equal((await numbersOf(sql, organization)).used, 2);
    const { limit } = only(
      await sql<{ limit: number }[]>`
        select clerk_limit as limit from public.organizations where id = ${organization.id}`,
    );
    assert.equal(limit, 4);
    const seats = await sql`
      select from public.organization_seats where organization_id = ${organization.id}`;
    assert.equal(seats.length, 2);
  }));

Deno.test("a role that takes a seat claims it first, gives it back when refused, and is refused when full", () =>
  withTransaction(async (sql) => {
    const { organization, member } = await withAuditors(sql);
    await sql`update public.organization_members set role = 'org:auditor' where id = ${member.id}`;
    assert.equal((await numbersOf(sql, organization)).used, 1);

    const change = await startChange(sql, organization, member.userId, "org:member");
    assert.equal((await numbersOf(sql, organization)).used, 2);
    const { code } = await refusalIn(sql, (sql) => claimSeats(sql, organization, people(1)));
    assert.equal(code, "seats_full");
    const refused = await settle(sql, change.memberId, { refused: true, ...change });
    assert.deepEqual(refused, { status: "active", role: "org:auditor", held: false });

    await claimSeats(sql, organization, people(1));
    const full = await refusalIn(
      sql,
      (sql) => startChange(sql, organization, member.userId, "org:member"),
    );
    assert.equal(full.code, "seats_full");
  }));

for (const role of ["org:member", null]) {
  Deno.test(`a refused ${role === null ? "removal" : "change of role"} does not undo what Clerk has told meanwhile`, () =>
    withTransaction(async (sql) => {
      const { organization, member } = await withAuditors(sql);
      await sql`update public.organization_members set role = 'org:auditor' where id = ${member.id}`;
      const change = await startChange(sql, organization, member.userId, role);
      // Somebody else has promoted him in Clerk, and its event has come.
      await sql`update public.organization_members set role = 'org:admin' where id = ${member.id}`;

      const refused = await settle(sql, change.memberId, { refused: true, ...change });

      assert.deepEqual(refused, { status: "active", role: "org:admin", held: false });
      assert.equal((await numbersOf(sql, organization)).used, 2);
    }));
}

Deno.test("a change of role whose worker died is settled by what Clerk lists", () =>
  withTransaction(async (sql) => {
    const { organization, member } = await withAuditors(sql);
    await sql`update public.organization_members set role = 'org:auditor' where id = ${member.id}`;
    const clerk = await clerkStateOf(sql, organization);
    await startChange(sql, organization, member.userId, "org:member");

    assert.deepEqual(await sync(sql, organization, clerk), []);
    await lapseHolds(sql, organization);
    const drift = await sync(sql, organization, clerk);

    assert.deepEqual(drift.map(({ kind, is }) => [kind, is]), [["member_role", "org:auditor"]]);
    assert.deepEqual(await sync(sql, organization, clerk), []);
    assert.equal((await numbersOf(sql, organization)).used, 1);
  }));

Deno.test("a sync recounts after the roles that take no seat were changed", () =>
  withTransaction(async (sql) => {
    const { organization, member } = await withAuditors(sql);
    await sql`update public.organization_members set role = 'org:auditor' where id = ${member.id}`;
    await sql`update private.settings set seatless_roles = '{}'`;
    const clerk = await clerkStateOf(sql, organization);

    await sync(sql, organization, clerk);

    assert.equal((await numbersOf(sql, organization)).used, 2);
    assert.deepEqual(await sync(sql, organization, clerk), []);
  }));
