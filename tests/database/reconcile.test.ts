import assert from "node:assert/strict";
import { only, type Transaction, withTransaction } from "./connection.ts";
import {
  addInvitations,
  addMembers,
  makeOrganization,
  numbersOf,
  type Organization,
} from "./organizations.ts";
import { randomId } from "./random_id.ts";
import { assertCounted } from "./recount.ts";
import {
  type ClerkState,
  clerkStateOf,
  type ListedInvitation,
  type ListedMembership,
  sync,
} from "./sync_leases.ts";

/** What happened an hour ago in Clerk, as it writes times. */
const EARLIER = new Date(Date.now() - 3_600_000).toISOString();
const LATER = new Date(Date.now() + 29 * 24 * 3_600_000).toISOString();

function listedMembership(name: string): ListedMembership {
  return {
    id: randomId("orgmem"),
    userId: `user_${name}`,
    email: `${name}@Example.com`,
    role: "org:member",
    createdAt: EARLIER,
    updatedAt: EARLIER,
  };
}

function listedInvitation(name: string): ListedInvitation {
  return {
    id: randomId("orginv"),
    email: `${name}@Example.com`,
    role: "org:member",
    createdAt: EARLIER,
    updatedAt: EARLIER,
    expiresAt: LATER,
  };
}

/** Fails unless a first sync finds exactly this, and a second one nothing. */
async function assertRepaired(
  sql: Transaction,
  organization: Organization,
  clerk: ClerkState,
  drift: readonly unknown[],
): Promise<void> {
  assert.deepEqual(await sync(sql, organization, clerk), drift);
  assert.deepEqual(await sync(sql, organization, clerk), []);
  await assertCounted(sql, organization);
}

function queued(sql: Transaction, members = 2, invitations = 2): Promise<Organization> {
  return makeOrganization(sql, { seats: 9, members, invitations, queued: true });
}

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

Deno.test("an invitation that Clerk does not list any more has been revoked", () =>
  withTransaction(async (sql) => {
    const organization = await queued(sql, 1, 2);
    const clerk = await clerkStateOf(sql, organization);
    const [ended] = clerk.invitations.splice(0, 1);

    await assertRepaired(sql, organization, clerk, [
      { kind: "invitation_ended", id: ended?.id, was: "pending", is: "revoked" },
    ]);

    assert.equal((await numbersOf(sql, organization)).invitations, 1);
  }));

Deno.test("an invitation whose person Clerk lists as a member has been joined", () =>
  withTransaction(async (sql) => {
    const organization = await queued(sql, 1, 1);
    const clerk = await clerkStateOf(sql, organization);
    const [joined] = clerk.invitations.splice(0, 1);
    const member = { ...listedMembership("ann"), email: joined?.email.toUpperCase() ?? "" };
    clerk.memberships.push(member);

    await assertRepaired(sql, organization, clerk, [
      { kind: "invitation_ended", id: joined?.id, was: "pending", is: "joined" },
      { kind: "member_missing", id: "user_ann", was: null, is: "active" },
    ]);

    const { members, invitations } = await numbersOf(sql, organization);
    assert.deepEqual({ members, invitations }, { members: 2, invitations: 0 });
  }));

Deno.test("an invitation of which only Clerk knows is added", () =>
  withTransaction(async (sql) => {
    const organization = await queued(sql, 1, 0);
    const clerk = await clerkStateOf(sql, organization);
    const invitation = listedInvitation("Nina");
    clerk.invitations.push(invitation);

    await assertRepaired(sql, organization, clerk, [
      { kind: "invitation_missing", id: invitation.id, was: null, is: "pending" },
    ]);

    const rows = await sql`
      select email, expires_at from public.organization_invitations
      where clerk_invitation_id = ${invitation.id}`;
    assert.deepEqual({ ...only(rows) }, {
      email: "nina@example.com",
      expires_at: new Date(LATER),
    });
  }));

Deno.test("an invitation that we had ended but Clerk lists is pending again", () =>
  withTransaction(async (sql) => {
    const organization = await queued(sql, 1, 1);
    const clerk = await clerkStateOf(sql, organization);
    const [listed] = clerk.invitations;
    await sql`
      update public.organization_invitations set status = 'revoked'
      where clerk_invitation_id = ${listed?.id ?? null}`;

    await assertRepaired(sql, organization, clerk, [
      { kind: "invitation_missing", id: listed?.id, was: "revoked", is: "pending" },
    ]);
  }));

Deno.test("an invitation that runs out while Clerk lists it is not brought back", () =>
  withTransaction(async (sql) => {
    const organization = await queued(sql, 1, 0);
    const clerk = await clerkStateOf(sql, organization);
    clerk.invitations.push({ ...listedInvitation("nina"), expiresAt: EARLIER });

    await assertRepaired(sql, organization, clerk, []);
  }));

Deno.test("invitations whose time is over are ended by a sync that compares no lists", () =>
  withTransaction(async (sql) => {
    const organization = await queued(sql, 1, 2);
    await sql`
      update public.organization_invitations set expires_at = clock_timestamp()
      where organization_id = ${organization.id}`;

    await sync(sql, organization, null);

    assert.equal((await numbersOf(sql, organization)).invitations, 0);
  }));

Deno.test("an acceptance that has led to nothing gives its seat back once Clerk had its time", () =>
  withTransaction(async (sql) => {
    const organization = await queued(sql, 1, 0);
    const clerk = await clerkStateOf(sql, organization);
    const [young, old] = [randomId("orginv"), randomId("orginv")];
    await sql`
      insert into public.organization_invitations (
        organization_id, clerk_invitation_id, email, status, expires_at, updated_at
      ) values
        (${organization.id}, ${young}, 'young@example.com', 'accepted', now() + interval '1 day',
          now() - interval '14 minutes'),
        (${organization.id}, ${old}, 'old@example.com', 'accepted', now() + interval '1 day',
          now() - interval '16 minutes')`;

    await assertRepaired(sql, organization, clerk, [
      { kind: "invitation_ended", id: old, was: "accepted", is: "revoked" },
    ]);

    assert.equal((await numbersOf(sql, organization)).invitations, 1);
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
