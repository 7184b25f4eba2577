import assert from "node:assert/strict";
import {
  assertRepaired,
  EARLIER,
  LATER,
  listedInvitation,
  listedMembership,
  queued,
} from "./clerk_lists.ts";
import { only, withTransaction } from "./connection.ts";
import { numbersOf } from "./organizations.ts";
import { randomId } from "./random_id.ts";
import { clerkStateOf, sync } from "./sync_leases.ts";

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
