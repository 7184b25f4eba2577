import assert from "node:assert/strict";
import {
  claimSeats,
  clerkInvitation,
  clerkMembership,
  invitationsTo,
  lapseHolds,
  people,
  settleInvitations,
} from "./claims.ts";
import { applyClerkEvent } from "./clerk_deliveries.ts";
import * as events from "./clerk_events.ts";
import { only, refusalIn, type Sql, type Transaction, withTransaction } from "./connection.ts";
import { makeOrganization, numbersOf, type Organization, setSeats } from "./organizations.ts";
import { assertCounted } from "./recount.ts";
import { clerkStateOf, sync } from "./sync_leases.ts";

const ANN = "ann@example.com";

/** An organization with two members and a seat that is held for Ann. */
async function reserved(sql: Sql, seats = 5, queued = false) {
  const organization = await makeOrganization(sql, { seats, members: 2, queued });
  const [claimed] = await claimSeats(sql, organization, [{ email: ANN }]);
  assert(claimed?.invitationId);
  return { organization, invitationId: claimed.invitationId };
}

async function startResend(
  sql: Sql,
  { id, clerkOrgId }: Organization,
  invitationId: string,
): Promise<{ invitationId: string; clerkInvitationId: string | null }> {
  return only(
    await sql<{ resend: { invitationId: string; clerkInvitationId: string | null } }[]>`
      select public.start_resend(${id}, ${clerkOrgId}, ${invitationId}, 'user_admin') as resend`,
  ).resend;
}

Deno.test("what Clerk has taken is pending under its id; what it refuses gives the seat back", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 5, members: 2 });
    const [ann, bob] = await claimSeats(sql, organization, people(2));
    const invitation = clerkInvitation("p0@example.com");

    const states = await settleInvitations(sql, organization, [
      { invitationId: ann?.invitationId ?? null, invitation, status: "pending" },
      { invitationId: bob?.invitationId ?? null, refused: true },
    ]);

    assert.deepEqual(states, ["pending", "revoked"]);
    assert.deepEqual(await invitationsTo(sql, organization, "p0@example.com"), ["pending seat"]);
    assert.equal((await numbersOf(sql, organization)).used, 3);
    await assertCounted(sql, organization);
  }));

for (const order of ["before", "after"] as const) {
  Deno.test(`Clerk's event that comes ${order} its answer makes one invitation with it`, () =>
    withTransaction(async (sql) => {
      const { organization, invitationId } = await reserved(sql);
      const listed = clerkInvitation(ANN);
      const made = Date.parse(listed.createdAt);
      const event = events.invitationEvent("created", {
        ...events.clerkInvitation({ id: organization.clerkOrgId }, "ann", made),
        id: listed.id,
      });
      const settle = () =>
        settleInvitations(sql, organization, [{
          invitationId,
          invitation: listed,
          status: "pending",
        }]);

      if (order === "before") await applyClerkEvent(sql, event);
      assert.deepEqual(await settle(), ["pending"]);
      if (order === "after") await applyClerkEvent(sql, event);

      assert.deepEqual(await invitationsTo(sql, organization, ANN), ["pending seat"]);
      assert.deepEqual(await settle(), ["pending"]);
      assert.equal((await numbersOf(sql, organization)).used, 3);
    }));
}

Deno.test("news of an earlier invitation is none of the reservation", () =>
  withTransaction(async (sql) => {
    const { organization } = await reserved(sql);
    const earlier = events.clerkInvitation(
      { id: organization.clerkOrgId },
      "ann",
      Date.now() - 3_600_000,
    );

    await applyClerkEvent(sql, events.invitationEvent("revoked", earlier));

    assert.deepEqual((await invitationsTo(sql, organization, ANN)).toSorted(), [
      "reserved seat",
      "revoked",
    ]);
  }));

/** What a sync finds when Clerk has these invitations beside the members. */
async function syncWith(
  sql: Transaction,
  organization: Organization,
  invitations: readonly ReturnType<typeof clerkInvitation>[],
): Promise<readonly string[]> {
  const { memberships } = await clerkStateOf(sql, organization);
  const drift = await sync(sql, organization, { memberships, invitations });
  await assertCounted(sql, organization);
  return drift.map(({ kind }) => kind);
}

Deno.test("while the hold lasts a sync leaves the reservation; then it is released once", () =>
  withTransaction(async (sql) => {
    const { organization } = await reserved(sql, 5, true);

    assert.deepEqual(await syncWith(sql, organization, []), []);
    assert.deepEqual(await invitationsTo(sql, organization, ANN), ["reserved seat"]);
    await lapseHolds(sql, organization);
    assert.deepEqual(await syncWith(sql, organization, []), ["reservation_released"]);
    assert.deepEqual(await syncWith(sql, organization, []), []);
    assert.deepEqual(await invitationsTo(sql, organization, ANN), ["revoked"]);
  }));

Deno.test("a reservation that did reach Clerk is adopted, held or not", () =>
  withTransaction(async (sql) => {
    for (const lapse of [false, true]) {
      const { organization } = await reserved(sql, 5, true);
      if (lapse) await lapseHolds(sql, organization);
      const listed = [clerkInvitation(ANN)];

      assert.deepEqual(await syncWith(sql, organization, listed), ["reservation_adopted"]);
      assert.deepEqual(await syncWith(sql, organization, listed), []);
      assert.deepEqual(await invitationsTo(sql, organization, ANN), ["pending seat"]);
    }
  }));

Deno.test("Clerk's answer to a released reservation is taken in, or late when the seat is gone", () =>
  withTransaction(async (sql) => {
    for (const [seats, state] of [[4, "pending"], [3, "late"]] as const) {
      const { organization, invitationId } = await reserved(sql, 3, true);
      await lapseHolds(sql, organization);
      await syncWith(sql, organization, []);
      await claimSeats(sql, organization, [{ email: "bob@example.com" }]);
      await setSeats(sql, organization, seats);
      const invitation = clerkInvitation(ANN);

      const settled = await settleInvitations(sql, organization, [
        { invitationId, invitation, status: "pending" },
      ]);

      assert.deepEqual(settled, [state]);
      await settleInvitations(sql, organization, [{ invitationId, invitation, status: "revoked" }]);
      assert.deepEqual(await invitationsTo(sql, organization, ANN), ["revoked", "revoked"]);
    }
  }));

Deno.test("hold_invitations() holds what is still reserved and returns only that", () =>
  withTransaction(async (sql) => {
    const { organization, invitationId } = await reserved(sql, 5, true);
    const [bob] = await claimSeats(sql, organization, [{ email: "bob@example.com" }]);
    await settleInvitations(sql, organization, [
      { invitationId: bob?.invitationId ?? null, refused: true },
    ]);
    await lapseHolds(sql, organization);

    const { held } = only(
      await sql<{ held: string[] }[]>`
        select to_jsonb(public.hold_invitations(
          ${organization.id},
          string_to_array(${`${invitationId},${bob?.invitationId}`}, ',')::uuid[]
        )) as held`,
    );

    assert.deepEqual(held, [invitationId]);
    assert.deepEqual(await syncWith(sql, organization, []), []);
  }));

Deno.test("start_resend() hands the seat on to the new reservation, at N of N as well", () =>
  withTransaction(async (sql) => {
    const { organization, invitationId } = await reserved(sql, 3);
    const first = clerkInvitation(ANN);
    await settleInvitations(sql, organization, [
      { invitationId, invitation: first, status: "pending" },
    ]);
    await sql`
      update public.organization_invitations set clerk_created_at = now() - interval '1 day'
      where id = ${invitationId}`;

    const resend = await startResend(sql, organization, invitationId);

    assert.equal(resend.clerkInvitationId, first.id);
    assert.deepEqual(await invitationsTo(sql, organization, ANN), ["pending", "reserved seat"]);
    assert.equal((await numbersOf(sql, organization)).used, 3);
    await settleInvitations(sql, organization, [
      { invitationId, invitation: first, status: "revoked" },
      {
        invitationId: resend.invitationId,
        invitation: clerkInvitation(ANN),
        status: "pending",
      },
    ]);
    assert.deepEqual(await invitationsTo(sql, organization, ANN), ["revoked", "pending seat"]);
    assert.equal((await numbersOf(sql, organization)).used, 3);
  }));

Deno.test("start_resend() refuses what is accepted, under way or invited anew, and needs a seat for what has ended", () =>
  withTransaction(async (sql) => {
    const { organization, invitationId } = await reserved(sql, 3);
    const refusal = async (id: string) =>
      (await refusalIn(sql, (sql) => startResend(sql, organization, id))).code;
    const become = (status: string) =>
      sql`update public.organization_invitations set status = ${status} where id = ${invitationId}`;

    assert.equal(await refusal(crypto.randomUUID()), "invitation_not_found");
    assert.equal(await refusal(invitationId), "invitation_in_progress");
    await become("accepted");
    assert.equal(await refusal(invitationId), "invitation_closed");
    await become("expired");
    const [bob] = await claimSeats(sql, organization, [{ email: "bob@example.com" }]);
    assert.equal(await refusal(invitationId), "seats_full");
    await settleInvitations(sql, organization, [
      { invitationId: bob?.invitationId ?? null, refused: true },
    ]);
    const resend = await startResend(sql, organization, invitationId);
    assert.equal(resend.clerkInvitationId, null);
    assert.equal(await refusal(invitationId), "invitation_in_progress");
    await settleInvitations(sql, organization, [{
      invitationId: resend.invitationId,
      invitation: clerkInvitation(ANN),
      status: "pending",
    }]);
    assert.equal(await refusal(invitationId), "already_invited");
  }));

Deno.test("a member's own invitation cannot be sent again", () =>
  withTransaction(async (sql) => {
    const { organization, invitationId } = await reserved(sql);
    await settleInvitations(sql, organization, [
      { invitationId, invitation: clerkInvitation(ANN), status: "revoked" },
    ]);
    const { id, clerkOrgId } = organization;
    await sql`
      insert into public.organization_members (organization_id, clerk_user_id, email, status)
      values (${id}, ${clerkMembership("user_ann", ANN).userId}, ${ANN}, 'active')`;

    const { code } = await refusalIn(
      sql,
      (sql) => startResend(sql, { ...organization, clerkOrgId }, invitationId),
    );
    assert.equal(code, "already_member");
  }));
