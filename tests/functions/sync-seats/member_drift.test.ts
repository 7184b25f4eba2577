import assert from "node:assert/strict";
import { stackEnv } from "../../stack.ts";
import { buySeats } from "../checkout.ts";
import { membersOf } from "../clerk-webhook/people.ts";
import { connect } from "../clients.ts";
import { codeOf } from "../manage-members/joining.ts";
import {
  addMembers,
  createOrganization,
  leaveUnheard,
  settled,
  withoutClerkWebhooks,
} from "../organizations.ts";
import { numbersOf, only } from "../rows.ts";
import { kindsOf, sync, syncUntilAgreed } from "./sync.ts";

const clients = connect(stackEnv());
const { admin, clerk, sql } = clients;
const { organizations } = clerk.client;

Deno.test("a member who left unheard is removed, in the admin's name", async () => {
  const organization = await createOrganization(clients);
  const [userId = "", other = ""] = await addMembers(clients, organization, 2);
  await leaveUnheard(clients, organization, userId);
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

Deno.test("whoever has been approved and is not in Clerk yet keeps the seat", async () => {
  const organization = await createOrganization(clients);
  await buySeats(clients, organization);
  const { id: userId } = await clerk.createUser();
  const { data: memberId } = await admin.rpc("request_membership", {
    p_join_code: await codeOf(clients, organization),
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
