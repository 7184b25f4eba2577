import assert from "node:assert/strict";
import { readRows } from "../../../local/demo/numbers.ts";
import { stackEnv } from "../../stack.ts";
import { connect } from "../clients.ts";
import { addInvitations, addMembers, createOrganization, settled } from "../organizations.ts";
import { numbersOf, only } from "../rows.ts";
import { limitPushed } from "../sync-seats/sync.ts";
import { invitationsOf, membersOf, seatsOf } from "./people.ts";

const clients = connect(stackEnv());
const { clerk, sql } = clients;
const { organizations } = clerk.client;

Deno.test("a new organization gets a row without seats, its owner counted", async () => {
  const { organization, adminId } = await clerk.createOrganization({ name: "Ærø & Søn" });
  await settled(clients, organization.id);
  const row = only(
    await sql`
      select id, name, slug, status, seat_limit, members_count, seats_used, deleted_at,
        length(join_code) as code
      from public.organizations where clerk_org_id = ${organization.id}`,
  );
  const { id, ...rest } = row;
  assert.deepEqual(rest, {
    name: "Ærø & Søn",
    slug: organization.slug,
    status: "approved",
    seat_limit: 0,
    members_count: 1,
    seats_used: 1,
    deleted_at: null,
    code: 12,
  });
  assert.deepEqual(await membersOf(sql, organization.id), [
    { userId: adminId, status: "active", role: "org:admin" },
  ]);
  const booked = await sql`
    select kind, actor, after ->> 'status' as status from public.billing_changes
    where organization_id = ${id} order by kind desc`;
  assert.deepEqual(booked.map((line) => ({ ...line })), [
    { kind: "organization", actor: "clerk", status: "approved" },
    { kind: "member", actor: "clerk", status: "active" },
  ]);
});

Deno.test("an organization's new name and address are followed", async () => {
  const organization = await createOrganization(clients);
  // Of two changes in one millisecond, ours of the limit and this, the first to be heard would stay.
  await limitPushed(clients, organization);
  const slug = `renamed-${crypto.randomUUID()}`;
  await organizations.updateOrganization(organization.clerkId, { name: "Renamed", slug });
  await settled(clients, organization.clerkId);
  const row = only(
    await sql`select name, slug from public.organizations where id = ${organization.id}`,
  );
  assert.deepEqual({ ...row }, { name: "Renamed", slug });
});

Deno.test("a deleted organization keeps its row and gives every seat back", async () => {
  const organization = await createOrganization(clients);
  await addMembers(clients, organization, 1);
  await addInvitations(clients, organization, 1);
  await organizations.deleteOrganization(organization.clerkId);
  await settled(clients, organization.clerkId);

  const { used, members, invitations } = await numbersOf(sql, organization);
  assert.deepEqual({ used, members, invitations }, { used: 0, members: 0, invitations: 0 });
  const row = only(
    await sql`select deleted_at from public.organizations where id = ${organization.id}`,
  );
  assert(row["deleted_at"] !== null);
  const people = [
    ...await membersOf(sql, organization.clerkId),
    ...await invitationsOf(sql, organization.clerkId),
  ];
  assert.deepEqual(people.map(({ status }) => status), ["removed", "removed", "revoked"]);
});

Deno.test("members are counted as they come and go", async () => {
  const organization = await createOrganization(clients);
  const [first = "", second = ""] = await addMembers(clients, organization, 2);
  assert.equal((await numbersOf(sql, organization)).members, 3);

  await organizations.deleteOrganizationMembership({
    organizationId: organization.clerkId,
    userId: first,
  });
  await settled(clients, organization.clerkId);
  assert.equal((await numbersOf(sql, organization)).members, 2);
  assert.deepEqual(
    new Map((await membersOf(sql, organization.clerkId)).map(({ userId, status }) => [
      userId,
      status,
    ])),
    new Map([[organization.adminId, "active"], [first, "removed"], [second, "active"]]),
  );
});

Deno.test("whoever comes back is counted again, in a row of the new membership", async () => {
  const organization = await createOrganization(clients);
  const [userId = ""] = await addMembers(clients, organization, 1);
  await organizations.deleteOrganizationMembership({
    organizationId: organization.clerkId,
    userId,
  });
  await clerk.addMember(organization.clerkId, { userId });
  await settled(clients, organization.clerkId);
  const theirs = (await membersOf(sql, organization.clerkId))
    .filter((member) => member.userId === userId);
  assert.deepEqual(theirs.map(({ status }) => status), ["removed", "active"]);
  assert.equal((await numbersOf(sql, organization)).members, 2);
});

Deno.test("a member's new role is followed", async () => {
  const organization = await createOrganization(clients);
  const [userId = ""] = await addMembers(clients, organization, 1);
  await organizations.updateOrganizationMembership({
    organizationId: organization.clerkId,
    userId,
    role: "org:admin",
  });
  await settled(clients, organization.clerkId);
  const { role } = only(
    (await membersOf(sql, organization.clerkId)).filter((member) => member.userId === userId),
  );
  assert.equal(role, "org:admin");
});

Deno.test("an invitation holds a seat until it is revoked", async () => {
  const organization = await createOrganization(clients);
  const [invitationId = ""] = await addInvitations(clients, organization, 1);
  assert.deepEqual(await seatsOf(sql, organization.clerkId), { members: 1, invitations: 1 });

  await organizations.revokeOrganizationInvitation({
    organizationId: organization.clerkId,
    invitationId,
    requestingUserId: organization.adminId,
  });
  await settled(clients, organization.clerkId);
  assert.deepEqual(await seatsOf(sql, organization.clerkId), { members: 1, invitations: 0 });
  const { status, holdsSeat } = only(await invitationsOf(sql, organization.clerkId));
  assert.deepEqual({ status, holdsSeat }, { status: "revoked", holdsSeat: false });
});

Deno.test("whoever accepts takes one seat, whatever the spelling of the address", async () => {
  const organization = await createOrganization(clients);
  const name = crypto.randomUUID();
  const { id: userId } = await clerk.createUser({ email: `${name}@example.com` });
  const invitationId = await clerk.invite(
    organization.clerkId,
    `${name.toUpperCase()}@Example.COM`,
  );
  await settled(clients, organization.clerkId);
  assert.deepEqual(await seatsOf(sql, organization.clerkId), { members: 1, invitations: 1 });

  await clerk.acceptInvitation(invitationId, userId);
  await settled(clients, organization.clerkId);
  assert.deepEqual(await seatsOf(sql, organization.clerkId), { members: 2, invitations: 0 });
  assert.deepEqual(await invitationsOf(sql, organization.clerkId), [
    { clerkId: invitationId, email: `${name}@example.com`, status: "joined", holdsSeat: false },
  ]);
});

Deno.test("whoever accepts with another address takes one seat as well", async () => {
  const organization = await createOrganization(clients);
  const { id: userId } = await clerk.createUser();
  const [invitationId = ""] = await addInvitations(clients, organization, 1);
  await clerk.acceptInvitation(invitationId, userId);
  await settled(clients, organization.clerkId);
  assert.deepEqual(await seatsOf(sql, organization.clerkId), { members: 2, invitations: 0 });
});

Deno.test("every event three times more, shuffled, leaves the rows as they are", async () => {
  const organization = await createOrganization(clients);
  const { clerkId: organizationId } = organization;
  const [leaving = ""] = await addMembers(clients, organization, 2);
  const [revoked = "", accepted = ""] = await addInvitations(clients, organization, 3);
  await Promise.all([
    organizations.deleteOrganizationMembership({ organizationId, userId: leaving }),
    organizations.revokeOrganizationInvitation({
      organizationId,
      invitationId: revoked,
      requestingUserId: organization.adminId,
    }),
    clerk.acceptInvitation(accepted),
    organizations.updateOrganization(organizationId, { name: "Renamed" }),
  ]);
  await settled(clients, organizationId);
  const before = await readRows(sql, organizationId);
  assert.deepEqual(await seatsOf(sql, organizationId), { members: 3, invitations: 1 });

  const answers = await clerk.control.replay({
    contains: organizationId,
    times: 3,
    order: "shuffled",
  });
  assert(answers.length >= 30);
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
  assert.deepEqual(await readRows(sql, organizationId), before);
});
