import assert from "node:assert/strict";
import { applyClerkEvent } from "./clerk_deliveries.ts";
import {
  clerkInvitation,
  clerkMembership,
  clerkOrganization,
  invitationAccepted,
  invitationEvent,
  membershipEvent,
  minute,
  organizationDeleted,
  organizationEvent,
} from "./clerk_events.ts";
import { only, type Sql, withTransaction } from "./connection.ts";
import { addRequest } from "./join_requests.ts";
import { makeOrganization, numbersOf } from "./organizations.ts";

async function statusOf(sql: Sql, membershipId: string): Promise<unknown> {
  const rows = await sql`
    select status from public.organization_members where clerk_membership_id = ${membershipId}`;
  return only(rows)["status"];
}

Deno.test("an organization that Clerk creates begins without seats, its owner counted", () =>
  withTransaction(async (sql) => {
    const organization = clerkOrganization();
    const owner = {
      ...clerkMembership(organization, "ann", minute(0)),
      role: "org:admin" as const,
    };

    const { outcome, organizationId } = await applyClerkEvent(
      sql,
      organizationEvent("created", organization),
    );
    await applyClerkEvent(sql, membershipEvent("created", owner));

    assert(outcome === "applied" && organizationId !== undefined);
    const rows = await sql`
      select clerk_org_id, name, slug, status, seat_limit, members_count, seats_used
      from public.organizations where id = ${organizationId}`;
    assert.deepEqual({ ...only(rows) }, {
      clerk_org_id: organization.id,
      name: "Acme",
      slug: "acme",
      status: "approved",
      seat_limit: 0,
      members_count: 1,
      seats_used: 1,
    });
    const queued = await sql`
      select from private.organization_syncs where organization_id = ${organizationId}`;
    assert.equal(queued.length, 1);
  }));

Deno.test("a membership is recorded as Clerk has it, the address in lower case", () =>
  withTransaction(async (sql) => {
    const { id, clerkOrgId } = await makeOrganization(sql, { seats: 5 });
    const membership = {
      ...clerkMembership(clerkOrganization(clerkOrgId), "Ann", minute(10)),
      role: "org:admin" as const,
      updatedAt: minute(20),
    };

    await applyClerkEvent(sql, membershipEvent("updated", membership));

    const rows = await sql`
      select organization_id, clerk_user_id, email, role, status, clerk_created_at
      from public.organization_members where clerk_membership_id = ${membership.id}`;
    assert.deepEqual({ ...only(rows) }, {
      organization_id: id,
      clerk_user_id: "user_Ann",
      email: "ann@example.com",
      role: "org:admin",
      status: "active",
      clerk_created_at: new Date(minute(10)),
    });
  }));

Deno.test("an invitation is recorded as Clerk has it, with its end", () =>
  withTransaction(async (sql) => {
    const { clerkOrgId } = await makeOrganization(sql, { seats: 5 });
    const invitation = clerkInvitation({ id: clerkOrgId }, "Bob", minute(10));

    await applyClerkEvent(sql, invitationEvent("created", invitation));

    const rows = await sql`
      select email, role, status, holds_seat, expires_at, invited_by
      from public.organization_invitations where clerk_invitation_id = ${invitation.id}`;
    assert.deepEqual({ ...only(rows) }, {
      email: "bob@example.com",
      role: "org:member",
      status: "pending",
      holds_seat: true,
      expires_at: new Date(invitation.expiresAt),
      invited_by: "user_owner",
    });
  }));

Deno.test("an invitation of which Clerk names no end holds its seat for good", () =>
  withTransaction(async (sql) => {
    const { clerkOrgId } = await makeOrganization(sql, { seats: 5 });
    const invitation = clerkInvitation({ id: clerkOrgId }, "Bob", minute(10));
    const event = invitationEvent("created", invitation);
    const endless = { ...event, data: { ...event.data, expires_at: null } };

    await applyClerkEvent(sql, endless);

    const rows = await sql`
      select expires_at = 'infinity' as endless from public.organization_invitations
      where clerk_invitation_id = ${invitation.id}`;
    assert.deepEqual({ ...only(rows) }, { endless: true });
  }));

Deno.test("times in seconds say the same as times in milliseconds", () =>
  withTransaction(async (sql) => {
    const { clerkOrgId } = await makeOrganization(sql, { seats: 5 });
    const made = clerkMembership(clerkOrganization(clerkOrgId), "ann", minute(10) / 1000);
    const changed = { ...made, role: "org:admin" as const, updatedAt: minute(20) };

    await applyClerkEvent(sql, membershipEvent("updated", changed));
    await applyClerkEvent(sql, membershipEvent("created", made));

    const rows = await sql`
      select role, clerk_created_at from public.organization_members
      where clerk_membership_id = ${made.id}`;
    assert.deepEqual({ ...only(rows) }, {
      role: "org:admin",
      clerk_created_at: new Date(minute(10)),
    });
  }));

Deno.test("a late created does not bring back who was removed", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 5 });
    const membership = clerkMembership(
      clerkOrganization(organization.clerkOrgId),
      "ann",
      minute(10),
    );

    await applyClerkEvent(
      sql,
      membershipEvent("deleted", { ...membership, updatedAt: minute(20) }),
    );
    await applyClerkEvent(sql, membershipEvent("created", membership));
    await applyClerkEvent(
      sql,
      membershipEvent("updated", { ...membership, updatedAt: minute(15) }),
    );

    assert.equal(await statusOf(sql, membership.id), "removed");
    assert.equal((await numbersOf(sql, organization)).used, 0);
  }));

Deno.test("a late created does not bring back an invitation that was revoked", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 5 });
    const invitation = clerkInvitation({ id: organization.clerkOrgId }, "ann", minute(10));

    await applyClerkEvent(
      sql,
      invitationEvent("revoked", { ...invitation, updatedAt: minute(20) }),
    );
    await applyClerkEvent(sql, invitationEvent("created", invitation));

    assert.equal((await numbersOf(sql, organization)).used, 0);
  }));

Deno.test("a late event does not bring back an organization that was deleted", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 5, members: 2, invitations: 1 });
    const request = await addRequest(sql, organization);
    const clerk = clerkOrganization(organization.clerkOrgId);
    const late = clerkMembership(clerk, "ann", minute(10));
    const invitation = clerkInvitation(clerk, "bob", minute(10));

    await applyClerkEvent(sql, organizationDeleted(clerk, minute(20)));
    for (
      const event of [
        organizationEvent("created", clerk),
        organizationEvent("updated", { ...clerk, updatedAt: minute(30) }),
        membershipEvent("created", late),
        invitationEvent("created", invitation),
        invitationAccepted(invitation, "user_bob", minute(15)),
      ]
    ) {
      await applyClerkEvent(sql, event);
    }

    assert.equal((await numbersOf(sql, organization)).used, 0);
    assert.equal(await statusOf(sql, late.id), "removed");
    const rows = await sql`
      select o.deleted_at, m.status
      from public.organizations as o
      join public.organization_members as m on m.id = ${request.id}
      where o.id = ${organization.id}`;
    assert.deepEqual({ ...only(rows) }, { deleted_at: new Date(minute(20)), status: "rejected" });
  }));

Deno.test("a stale name does not overwrite a newer one", () =>
  withTransaction(async (sql) => {
    const organization = clerkOrganization();
    const renamed = { ...organization, name: "Acme Two", updatedAt: minute(20) };
    const member = clerkMembership(organization, "ann", minute(10));
    for (
      const event of [
        organizationEvent("updated", renamed),
        organizationEvent("updated", { ...organization, name: "Acme One", updatedAt: minute(10) }),
        organizationEvent("created", organization),
        membershipEvent("created", member),
      ]
    ) {
      await applyClerkEvent(sql, event);
    }

    const rows = await sql`
      select name, slug from public.organizations where clerk_org_id = ${organization.id}`;
    assert.deepEqual({ ...only(rows) }, { name: "Acme Two", slug: "acme-two" });
  }));
