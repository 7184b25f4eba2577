import assert from "node:assert/strict";
import { stackEnv } from "../../stack.ts";
import { invitationsOf, seatsOf } from "../clerk-webhook/people.ts";
import { connect } from "../clients.ts";
import { withEndlessInvitations } from "../endless_invitations.ts";
import {
  addInvitations,
  createOrganization,
  leaveUnheard,
  revokeUnheard,
  settled,
  withoutClerkWebhooks,
} from "../organizations.ts";
import { only } from "../rows.ts";
import { withFunction } from "../served_function.ts";
import { callSync, sync, syncUntilAgreed } from "./sync.ts";

const clients = connect(stackEnv());
const { clerk, sql } = clients;

Deno.test("an invitation that was made unheard holds its seat", async () => {
  const organization = await createOrganization(clients);
  const id = await withoutClerkWebhooks(
    clients,
    organization,
    () => clerk.invite(organization.clerkId, `Ann.${crypto.randomUUID()}@Example.com`),
  );
  assert.deepEqual(await syncUntilAgreed(clients, organization), [
    { kind: "invitation_missing", id, was: null, is: "pending" },
  ]);
  const { email, holdsSeat } = only(await invitationsOf(sql, organization.clerkId));
  assert.equal(email, email.toLowerCase());
  assert.equal(holdsSeat, true);
});

Deno.test("an invitation of which Clerk names no end holds its seat, made unheard or not", async () => {
  const organization = await createOrganization(clients);
  const [known = ""] = await addInvitations(clients, organization, 1);
  const unheard = await withoutClerkWebhooks(
    clients,
    organization,
    () => clerk.invite(organization.clerkId),
  );
  await withEndlessInvitations(clients, async (CLERK_API_URL) => {
    await withFunction(clients, "sync-seats", { CLERK_API_URL }, async ({ base }) => {
      assert.equal((await callSync(clients, organization, base)).status, 200);
      const { body } = await callSync(clients, organization, base);
      assert.deepEqual(body.data.drift, []);
    });
  });
  const held = (await invitationsOf(sql, organization.clerkId)).filter((one) => one.holdsSeat);
  assert.deepEqual(held.map(({ clerkId }) => clerkId), [known, unheard]);
});

Deno.test("an invitation that was revoked unheard gives its seat back", async () => {
  const organization = await createOrganization(clients);
  const [invitationId = "", other = ""] = await addInvitations(clients, organization, 2);
  await revokeUnheard(clients, organization, invitationId);
  assert.deepEqual(await syncUntilAgreed(clients, organization), [
    { kind: "invitation_ended", id: invitationId, was: "pending", is: "revoked" },
  ]);
  const held = (await invitationsOf(sql, organization.clerkId)).filter((one) => one.holdsSeat);
  assert.deepEqual(held.map(({ clerkId }) => clerkId), [other]);
});

Deno.test("an invitation whose time is over, of which Clerk says nothing, gives its seat back", async () => {
  const organization = await createOrganization(clients);
  const [invitationId = ""] = await addInvitations(clients, organization, 1);
  await clerk.expireInvitation(invitationId);
  assert.deepEqual(await syncUntilAgreed(clients, organization), [
    { kind: "invitation_ended", id: invitationId, was: "pending", is: "revoked" },
  ]);
  assert.deepEqual(await seatsOf(sql, organization.clerkId), { members: 1, invitations: 0 });
});

Deno.test("an invitation that was accepted unheard is one seat before and after", async () => {
  const organization = await createOrganization(clients);
  const [invitationId = ""] = await addInvitations(clients, organization, 1);
  const userId = await withoutClerkWebhooks(
    clients,
    organization,
    () => clerk.acceptInvitation(invitationId),
  );
  assert.deepEqual(await syncUntilAgreed(clients, organization), [
    { kind: "invitation_ended", id: invitationId, was: "pending", is: "joined" },
    { kind: "member_missing", id: userId, was: null, is: "active" },
  ]);
  assert.deepEqual(await seatsOf(sql, organization.clerkId), { members: 2, invitations: 0 });
});

Deno.test("an acceptance that led to no membership gives its seat back after a while", async () => {
  const organization = await createOrganization(clients);
  const [invitationId = ""] = await addInvitations(clients, organization, 1);
  const lost = await clerk.control.addPolicy({
    contains: organization.clerkId,
    type: "organizationMembership.created",
    kind: "drop",
  });
  const userId = await clerk.acceptInvitation(invitationId);
  await settled(clients, organization.clerkId);
  await clerk.control.removePolicy(lost);
  await leaveUnheard(clients, organization, userId);
  assert.deepEqual((await sync(clients, organization)).drift, []);
  assert.deepEqual(await seatsOf(sql, organization.clerkId), { members: 1, invitations: 1 });

  await sql.begin(async (sql) => {
    await sql`set local session_replication_role = replica`;
    await sql`
      update public.organization_invitations set updated_at = updated_at - interval '1 hour'
      where organization_id = ${organization.id}`;
  });
  assert.deepEqual(await syncUntilAgreed(clients, organization), [
    { kind: "invitation_ended", id: invitationId, was: "accepted", is: "revoked" },
  ]);
  assert.deepEqual(await seatsOf(sql, organization.clerkId), { members: 1, invitations: 0 });
});
