import assert from "node:assert/strict";
import { assertRepaired, listedInvitation, listedMembership, queued } from "./clerk_lists.ts";
import { only, withTransaction } from "./connection.ts";
import { addInvitations, addMembers, numbersOf } from "./organizations.ts";
import { clerkStateOf, sync } from "./sync_leases.ts";

Deno.test("a sync of what agrees finds nothing, and says when it was", () =>
  withTransaction(async (sql) => {
    const organization = await queued(sql);
    const before = new Date();

    await assertRepaired(sql, organization, await clerkStateOf(sql, organization), []);

    const rows = await sql<{ at: Date }[]>`
      select last_synced_at as at from public.organizations where id = ${organization.id}`;
    assert(only(rows).at >= before);
    assert.deepEqual(await sync(sql, organization, null), []);
  }));

Deno.test("an organization that Clerk has deleted is ended, and leaves the queue", () =>
  withTransaction(async (sql) => {
    const organization = await queued(sql, 2, 2);

    const drift = await sync(sql, organization, { deleted: true });

    assert.deepEqual(drift, [{
      kind: "organization_deleted",
      id: organization.clerkOrgId,
      was: "living",
      is: "deleted",
    }]);
    assert.equal((await numbersOf(sql, organization)).used, 0);
    const left = await sql`
      select from private.organization_syncs where organization_id = ${organization.id}`;
    assert.equal(left.length, 0);
  }));

Deno.test("everything at once is repaired at once", () =>
  withTransaction(async (sql) => {
    const organization = await queued(sql, 3, 3);
    const clerk = await clerkStateOf(sql, organization);
    await addMembers(sql, organization, 2);
    await addInvitations(sql, organization, 2);
    clerk.memberships.splice(0, 1);
    clerk.memberships.push(listedMembership("nina"));
    clerk.invitations.splice(0, 1);
    clerk.invitations.push(listedInvitation("oscar"));

    const drift = await sync(sql, organization, clerk);

    assert.deepEqual(drift.map(({ kind }) => kind).sort(), [
      "invitation_ended",
      "invitation_ended",
      "invitation_ended",
      "invitation_missing",
      "member_extra",
      "member_extra",
      "member_extra",
      "member_missing",
    ]);
    assert.deepEqual(await sync(sql, organization, clerk), []);
    const { members, invitations } = await numbersOf(sql, organization);
    assert.deepEqual({ members, invitations }, { members: 3, invitations: 3 });
  }));
