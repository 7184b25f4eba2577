import assert from "node:assert/strict";
import { readRows } from "../../../local/demo/numbers.ts";
import { stackEnv } from "../../stack.ts";
import { buySeats, changeQuantity, openCheckout, purchaseOf } from "../checkout.ts";
import { invitationsOf, membersOf, seatsOf } from "../clerk-webhook/people.ts";
import { connect } from "../clients.ts";
import {
  addInvitations,
  addMembers,
  createOrganization,
  settled,
  withoutClerkWebhooks,
} from "../organizations.ts";
import { countRequests } from "../requests.ts";
import { intentsOf, numbersOf, only } from "../rows.ts";
import { losingEvents } from "../stripe-webhook/deliveries.ts";
import { kindsOf, limitPushed, sync, syncUntilAgreed } from "./sync.ts";

const clients = connect(stackEnv());
const { admin, clerk, sql, stripe, stripeControl } = clients;
const { organizations } = clerk.client;

Deno.test("where nothing has drifted the numbers are answered, for three requests", async () => {
  const organization = await createOrganization(clients);
  const purchase = await buySeats(clients, organization);
  await addMembers(clients, organization, 2);
  await addInvitations(clients, organization, 1);
  const before = await readRows(sql, organization.clerkId);
  const path = `^/v1/organizations/${organization.clerkId}/`;
  const asked = [
    await countRequests(clerk.control, { path }),
    await countRequests(stripeControl, { method: "GET", contains: purchase.customerId }),
  ];

  assert.deepEqual(await sync(clients, organization), {
    organizationId: organization.id,
    seatsUsed: 4,
    seatsTotal: 5,
    memberCount: 3,
    pendingInvitationsCount: 1,
    overCapacity: false,
    drift: [],
  });
  assert.deepEqual(await Promise.all(asked.map((one) => one.hits())), [2, 1]);
  for (const one of asked) await one.remove();
  assert.deepEqual(await readRows(sql, organization.clerkId), before);
  const row = only(
    await sql`select last_synced_at from public.organizations where id = ${organization.id}`,
  );
  assert(row["last_synced_at"] instanceof Date);
});

Deno.test("a member who left unheard is removed, in the admin's name", async () => {
  const organization = await createOrganization(clients);
  const [userId = "", other = ""] = await addMembers(clients, organization, 2);
  await withoutClerkWebhooks(
    clients,
    organization,
    () =>
      organizations.deleteOrganizationMembership({
        organizationId: organization.clerkId,
        userId,
      }),
  );
  assert.deepEqual(await syncUntilAgreed(clients, organization), [
    { kind: "member_extra", id: userId, was: "active", is: "removed" },
  ]);
  assert.equal((await numbersOf(sql, organization)).members, 2);
  const statuses = new Map(
    (await membersOf(sql, organization.clerkId)).map((one) => [one.userId, one.status]),
  );
  assert.deepEqual([statuses.get(userId), statuses.get(other)], ["removed", "active"]);
  const booked = only(
    await sql`
      select actor, cause, before ->> 'status' as was, after ->> 'status' as is
      from public.billing_changes
      where organization_id = ${organization.id} and after ->> 'status' = 'removed'`,
  );
  assert.deepEqual({ ...booked }, {
    actor: organization.adminId,
    cause: "reconcile_organization",
    was: "active",
    is: "removed",
  });
});

Deno.test("a member who came unheard is added", async () => {
  const organization = await createOrganization(clients);
  const { publicUserData } = await withoutClerkWebhooks(
    clients,
    organization,
    () => clerk.addMember(organization.clerkId),
  );
  assert.deepEqual(await syncUntilAgreed(clients, organization), [
    { kind: "member_missing", id: publicUserData?.userId, was: null, is: "active" },
  ]);
  assert.equal((await numbersOf(sql, organization)).members, 2);
});

Deno.test("a member whose end was reported wrongly is active again", async () => {
  const organization = await createOrganization(clients);
  const [userId = ""] = await addMembers(clients, organization, 1);
  await sql`
    update public.organization_members set status = 'removed'
    where organization_id = ${organization.id} and clerk_user_id = ${userId}`;
  assert.deepEqual(await syncUntilAgreed(clients, organization), [
    { kind: "member_missing", id: userId, was: "removed", is: "active" },
  ]);
  assert.equal((await numbersOf(sql, organization)).members, 2);
});

Deno.test("a role that changed unheard is found though every number is as it was", async () => {
  const organization = await createOrganization(clients);
  const [userId = ""] = await addMembers(clients, organization, 1);
  await withoutClerkWebhooks(
    clients,
    organization,
    () =>
      organizations.updateOrganizationMembership({
        organizationId: organization.clerkId,
        userId,
        role: "org:admin",
      }),
  );
  assert.deepEqual(await syncUntilAgreed(clients, organization), [
    { kind: "member_role", id: userId, was: "org:member", is: "org:admin" },
  ]);
  const member = (await membersOf(sql, organization.clerkId)).find((one) => one.userId === userId);
  assert.equal(member?.role, "org:admin");
});

Deno.test("someone who came while another left is found though every number is as it was", async () => {
  const organization = await createOrganization(clients);
  const [gone = ""] = await addMembers(clients, organization, 1);
  const come = await withoutClerkWebhooks(clients, organization, async () => {
    await organizations.deleteOrganizationMembership({
      organizationId: organization.clerkId,
      userId: gone,
    });
    return (await clerk.addMember(organization.clerkId)).publicUserData?.userId ?? "";
  });
  assert.deepEqual(await syncUntilAgreed(clients, organization), [
    { kind: "member_extra", id: gone, was: "active", is: "removed" },
    { kind: "member_missing", id: come, was: null, is: "active" },
  ]);
});

Deno.test("a name that changed unheard, in Clerk or here, is what Clerk shows", async () => {
  const organization = await createOrganization(clients);
  await limitPushed(clients, organization);
  const nameOf = async () =>
    only(await sql`select name from public.organizations where id = ${organization.id}`)["name"];
  await withoutClerkWebhooks(
    clients,
    organization,
    () => organizations.updateOrganization(organization.clerkId, { name: "Acme & Sons" }),
  );
  assert.deepEqual(kindsOf(await syncUntilAgreed(clients, organization)), { organization_name: 1 });
  assert.equal(await nameOf(), "Acme & Sons");

  await sql`update public.organizations set name = 'Nonsense' where id = ${organization.id}`;
  assert.deepEqual(kindsOf(await syncUntilAgreed(clients, organization)), { organization_name: 1 });
  assert.equal(await nameOf(), "Acme & Sons");
});

Deno.test("a limit that someone changed in Clerk is pushed again", async () => {
  const organization = await createOrganization(clients);
  await buySeats(clients, organization);
  await limitPushed(clients, organization);
  await organizations.updateOrganization(organization.clerkId, { maxAllowedMemberships: 0 });
  await settled(clients, organization.clerkId);

  assert.deepEqual(await syncUntilAgreed(clients, organization), [
    { kind: "clerk_limit", id: organization.clerkId, was: "0", is: "5" },
  ]);
  const { maxAllowedMemberships } = await organizations.getOrganization({
    organizationId: organization.clerkId,
  });
  assert.equal(maxAllowedMemberships, 5);
});

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

Deno.test("an invitation that was revoked unheard gives its seat back", async () => {
  const organization = await createOrganization(clients);
  const [invitationId = "", other = ""] = await addInvitations(clients, organization, 2);
  await withoutClerkWebhooks(
    clients,
    organization,
    () =>
      organizations.revokeOrganizationInvitation({
        organizationId: organization.clerkId,
        invitationId,
        requestingUserId: organization.adminId,
      }),
  );
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

Deno.test("counts that someone wrote with triggers switched off are counted afresh", async () => {
  const organization = await createOrganization(clients);
  await addMembers(clients, organization, 1);
  await sql.begin(async (sql) => {
    await sql`set local session_replication_role = replica`;
    await sql`
      update public.organizations set members_count = 7, pending_invitations_count = 3
      where id = ${organization.id}`;
  });
  assert.deepEqual(await syncUntilAgreed(clients, organization), [
    { kind: "counts", id: organization.id, was: "7 + 3", is: "2 + 0" },
  ]);
  assert.equal((await numbersOf(sql, organization)).used, 2);
});

Deno.test("a seat limit that someone wrote with triggers switched off is what was purchased", async () => {
  const organization = await createOrganization(clients);
  await buySeats(clients, organization);
  await sql.begin(async (sql) => {
    await sql`set local session_replication_role = replica`;
    await sql`update public.organizations set seat_limit = 50 where id = ${organization.id}`;
  });
  assert.deepEqual(await syncUntilAgreed(clients, organization), [
    { kind: "seat_limit", id: organization.id, was: "50", is: "5" },
  ]);
  assert.equal((await numbersOf(sql, organization)).limit, 5);
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
  await withoutClerkWebhooks(
    clients,
    organization,
    () =>
      organizations.deleteOrganizationMembership({
        organizationId: organization.clerkId,
        userId,
      }),
  );
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

Deno.test("a purchase that nobody reported gives its seats", async () => {
  const organization = await createOrganization(clients);
  const { sessionId } = await openCheckout(clients, organization);
  await losingEvents(clients, organization.id, () => stripeControl.payCheckout(sessionId));
  const { subscriptionId } = await purchaseOf(clients, sessionId);
  assert.deepEqual(await syncUntilAgreed(clients, organization), [
    { kind: "subscription", id: subscriptionId, was: "unknown", is: "active 5" },
  ]);
  const { status, purchased, limit } = await numbersOf(sql, organization);
  assert.deepEqual({ status, purchased, limit }, { status: "active", purchased: 5, limit: 5 });
  assert.equal(only(await intentsOf(sql, organization)).state, "completed");
});

Deno.test("a purchase that is not paid yet gives no seats by a sync either", async () => {
  const organization = await createOrganization(clients);
  const { sessionId } = await openCheckout(clients, organization);
  await losingEvents(
    clients,
    organization.id,
    () => stripeControl.payCheckout(sessionId, { method: "later" }),
  );
  const drift = await syncUntilAgreed(clients, organization);
  assert.deepEqual(kindsOf(drift), { subscription: 1 });
  assert.equal((await numbersOf(sql, organization)).limit, 0);

  await losingEvents(
    clients,
    organization.id,
    () => stripeControl.settleCheckout(sessionId, "succeeded"),
  );
  assert.deepEqual(kindsOf(await syncUntilAgreed(clients, organization)), { subscription: 1 });
  assert.equal((await numbersOf(sql, organization)).limit, 5);
});

Deno.test("a quantity that changed unheard is followed, up and down", async () => {
  const organization = await createOrganization(clients);
  const purchase = await buySeats(clients, organization);
  for (const [was, is] of [[5, 9], [9, 2]] as const) {
    await losingEvents(
      clients,
      organization.id,
      () => changeQuantity(clients, purchase, is),
    );
    assert.deepEqual(await syncUntilAgreed(clients, organization), [
      {
        kind: "subscription",
        id: purchase.subscriptionId,
        was: `active ${was}`,
        is: `active ${is}`,
      },
    ]);
    assert.equal((await numbersOf(sql, organization)).limit, is);
  }
});

Deno.test("a cancellation that nobody reported takes the seats, and throws nobody out", async () => {
  const organization = await createOrganization(clients);
  const { subscriptionId } = await buySeats(clients, organization);
  await losingEvents(
    clients,
    organization.id,
    () => stripe.subscriptions.cancel(subscriptionId),
  );
  assert.equal((await sync(clients, organization)).overCapacity, true);
  const { status, limit, members, overCapacity } = await numbersOf(sql, organization);
  assert.deepEqual(
    { status, limit, members, overCapacity },
    { status: "canceled", limit: 0, members: 1, overCapacity: true },
  );
});

Deno.test("purchased seats that someone wrote are what Stripe says again", async () => {
  const organization = await createOrganization(clients);
  const { subscriptionId } = await buySeats(clients, organization);
  await sql`
    update public.organization_subscriptions set purchased_seats = 50, renewal_seats = 50
    where organization_id = ${organization.id}`;
  assert.equal((await numbersOf(sql, organization)).limit, 50);
  assert.deepEqual(await syncUntilAgreed(clients, organization), [
    { kind: "seats", id: subscriptionId, was: "50", is: "5" },
  ]);
  assert.equal((await numbersOf(sql, organization)).limit, 5);
});

Deno.test("events that arrive after the repair, at last, change nothing", async () => {
  const organization = await createOrganization(clients);
  const purchase = await buySeats(clients, organization);
  const [leaving = ""] = await addMembers(clients, organization, 2);
  const [revoked = ""] = await addInvitations(clients, organization, 1);
  await losingEvents(
    clients,
    organization.id,
    () => changeQuantity(clients, purchase, 8),
  );
  await withoutClerkWebhooks(clients, organization, async () => {
    await organizations.deleteOrganizationMembership({
      organizationId: organization.clerkId,
      userId: leaving,
    });
    await organizations.revokeOrganizationInvitation({
      organizationId: organization.clerkId,
      invitationId: revoked,
      requestingUserId: organization.adminId,
    });
    await clerk.invite(organization.clerkId);
  });

  assert.deepEqual(kindsOf(await syncUntilAgreed(clients, organization)), {
    subscription: 1,
    member_extra: 1,
    invitation_ended: 1,
    invitation_missing: 1,
  });
  const before = await readRows(sql, organization.clerkId);

  const answers = await Promise.all([
    clerk.control.replay({ contains: organization.clerkId, order: "shuffled" }),
    stripeControl.replay({ contains: organization.id, order: "shuffled" }),
  ]);
  assert.deepEqual(new Set(answers.flat().map(({ status }) => status)), new Set([200]));
  assert.deepEqual(await readRows(sql, organization.clerkId), before);
});

Deno.test("whoever has been approved and is not in Clerk yet keeps the seat", async () => {
  const organization = await createOrganization(clients);
  await buySeats(clients, organization);
  const { id: userId } = await clerk.createUser();
  const { join_code } = only(
    await sql<{ join_code: string }[]>`
      select join_code from public.organizations where id = ${organization.id}`,
  );
  const { data: memberId } = await admin.rpc("request_membership", {
    p_join_code: join_code,
    p_clerk_user_id: userId,
    p_email: "approved@example.com",
  }).throwOnError();
  await admin.rpc("approve_member", { p_member_id: memberId, p_actor: organization.adminId })
    .throwOnError();
  assert.deepEqual((await sync(clients, organization)).drift, []);
  await withoutClerkWebhooks(
    clients,
    organization,
    () => clerk.invite(organization.clerkId),
  );
  assert.deepEqual(kindsOf(await syncUntilAgreed(clients, organization)), {
    invitation_missing: 1,
  });
  assert.equal((await numbersOf(sql, organization)).members, 2);

  await clerk.addMember(organization.clerkId, { userId });
  await settled(clients, organization.clerkId);
  assert.equal((await numbersOf(sql, organization)).members, 2);
});
