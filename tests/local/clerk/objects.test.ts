import assert from "node:assert/strict";
import { createClerkClient } from "@clerk/backend";
import { addMember, invite, refused, withClerk } from "./emulator.ts";

Deno.test("users are created, found, counted, changed and deleted", () =>
  withClerk(async ({ fixtures: { client } }) => {
    const user = await client.users.createUser({
      emailAddress: ["Ada@example.com"],
      firstName: "Ada",
      externalId: "ext_1",
      publicMetadata: { plan: "pro" },
    });
    assert.match(user.id, /^user_\w{27}$/);
    assert.equal(user.primaryEmailAddress?.emailAddress, "Ada@example.com");
    assert.equal(user.primaryEmailAddress?.verification?.status, "verified");
    assert.deepEqual(user.publicMetadata, { plan: "pro" });
    assert.equal((await client.users.getUser(user.id)).firstName, "Ada");

    await client.users.createUser({ emailAddress: ["bob@example.com"] });
    const found = await client.users.getUserList({ emailAddress: ["ada@example.com"] });
    assert.deepEqual([found.totalCount, found.data[0]?.id], [1, user.id]);
    assert.equal(await client.users.getCount(), 2);
    assert.equal((await client.users.updateUser(user.id, { lastName: "L" })).lastName, "L");

    await client.users.deleteUser(user.id);
    await refused(client.users.getUser(user.id), 404, "resource_not_found");
  }));

Deno.test("an e-mail address belongs to one user, whatever its case", () =>
  withClerk(async ({ fixtures: { client } }) => {
    await client.users.createUser({ emailAddress: ["Ada@example.com"] });
    const error = await refused(
      client.users.createUser({ emailAddress: ["ADA@example.com"] }),
      422,
      "form_identifier_exists",
    );
    assert.equal(error.errors[0]?.meta?.paramName, "email_address");
  }));

Deno.test("an organization is created with its creator as admin", () =>
  withClerk(async ({ fixtures: { client } }) => {
    const { id: createdBy } = await client.users.createUser({ emailAddress: ["a@example.com"] });
    const organization = await client.organizations.createOrganization({
      name: "Acme & Co",
      createdBy,
      privateMetadata: { tier: 1 },
    });
    assert.match(organization.id, /^org_/);
    assert.match(organization.slug, /^acme-co-/);
    assert.equal(organization.createdBy, createdBy);
    assert.equal(organization.maxAllowedMemberships, 0);
    assert.equal(organization.membersCount, undefined);

    const bySlug = await client.organizations.getOrganization({
      slug: organization.slug,
      includeMembersCount: true,
    });
    assert.deepEqual([bySlug.id, bySlug.membersCount], [organization.id, 1]);
    const members = await client.users.getOrganizationMembershipList({ userId: createdBy });
    assert.equal(members.data[0]?.role, "org:admin");
    assert.equal(members.data[0]?.organization.name, "Acme & Co");
  }));

Deno.test("an organization is updated, and its metadata merged or replaced", () =>
  withClerk(async ({ fixtures }) => {
    const { organizations } = fixtures.client;
    const { organization: { id } } = await fixtures.createOrganization();
    const updated = await organizations.updateOrganization(id, {
      name: "New",
      slug: "new",
      maxAllowedMemberships: 7,
    });
    assert.deepEqual([updated.name, updated.slug, updated.maxAllowedMemberships], [
      "New",
      "new",
      7,
    ]);

    await organizations.updateOrganizationMetadata(id, { publicMetadata: { a: { b: 1, c: 2 } } });
    const merged = await organizations.updateOrganizationMetadata(id, {
      publicMetadata: { a: { b: null, d: 3 } },
    });
    assert.deepEqual(merged.publicMetadata, { a: { c: 2, d: 3 } });
    const replaced = await organizations.replaceOrganizationMetadata(id, {
      publicMetadata: { z: 1 },
    });
    assert.deepEqual(replaced.publicMetadata, { z: 1 });

    const { organization: other } = await fixtures.createOrganization();
    const taken = organizations.updateOrganization(other.id, { slug: "new" });
    await refused(taken, 422, "form_identifier_exists");
  }));

Deno.test("deleting an organization takes its memberships and invitations along", () =>
  withClerk(async ({ fixtures }) => {
    const { organizations, users } = fixtures.client;
    const { organization: { id }, adminId } = await fixtures.createOrganization();
    await invite(fixtures, id);
    const deleted = await organizations.deleteOrganization(id);
    assert.equal(deleted.id, id);
    await refused(organizations.getOrganization({ organizationId: id }), 404, "resource_not_found");
    assert.equal((await users.getOrganizationMembershipList({ userId: adminId })).totalCount, 0);
  }));

Deno.test("members are added, given another role, listed by filters and removed", () =>
  withClerk(async ({ fixtures }) => {
    const { organizations } = fixtures.client;
    const { organization: { id: organizationId }, adminId } = await fixtures.createOrganization();
    const user = await fixtures.createUser({ email: "zoe@example.com", firstName: "Zoe" });
    const membership = await addMember(fixtures, organizationId, { userId: user.id });
    assert.match(membership.id, /^orgmem_/);
    assert.equal(membership.publicUserData?.identifier, "zoe@example.com");
    assert.equal(membership.publicUserData?.firstName, "Zoe");

    const again = addMember(fixtures, organizationId, { userId: user.id });
    await refused(again, 400, "already_a_member_in_organization");
    const unknown = addMember(fixtures, organizationId, { role: "org:owner" });
    await refused(unknown, 404, "resource_not_found");

    const change = { organizationId, userId: user.id, role: "org:admin" };
    assert.equal((await organizations.updateOrganizationMembership(change)).role, "org:admin");
    const list = async (filter: object) => {
      const page = await organizations.getOrganizationMembershipList({ organizationId, ...filter });
      return page.data.map((one) => one.publicUserData?.userId);
    };
    assert.deepEqual(await list({}), [user.id, adminId]);
    assert.deepEqual(await list({ orderBy: "+created_at" }), [adminId, user.id]);
    assert.deepEqual(await list({ userId: [adminId] }), [adminId]);
    assert.deepEqual(await list({ emailAddress: ["ZOE@example.com"] }), [user.id]);
    assert.deepEqual(await list({ role: ["org:member"] }), []);
    assert.deepEqual(await list({ query: "zoe" }), [user.id]);

    const removed = await organizations.deleteOrganizationMembership({
      organizationId,
      userId: user.id,
    });
    assert.equal(removed.id, membership.id);
    assert.deepEqual(await list({}), [adminId]);
  }));

Deno.test("the last admin can neither be removed nor made a member", () =>
  withClerk(async ({ fixtures }) => {
    const { organizations } = fixtures.client;
    const { organization: { id: organizationId }, adminId } = await fixtures.createOrganization();
    const { publicUserData } = await addMember(fixtures, organizationId);
    const other = publicUserData?.userId ?? "";
    const remove = (userId: string) =>
      organizations.deleteOrganizationMembership({ organizationId, userId });
    const change = (userId: string, role: string) =>
      organizations.updateOrganizationMembership({ organizationId, userId, role });
    const code = "organization_minimum_permissions_needed";
    await refused(remove(adminId), 400, code);
    await refused(change(adminId, "org:member"), 400, code);
    await change(adminId, "org:admin");

    await change(other, "org:admin");
    await change(adminId, "org:member");
    await refused(remove(other), 400, code);
    await remove(adminId);
    await refused(change(other, "org:member"), 400, code);
  }));

Deno.test("a list is cut into pages and tells how many there are", () =>
  withClerk(async ({ fixtures }) => {
    const { organizations } = fixtures.client;
    const { organization: { id: organizationId } } = await fixtures.createOrganization();
    for (let count = 0; count < 11; count += 1) await addMember(fixtures, organizationId);
    const page = async (limit?: number, offset?: number) => {
      const { data, totalCount } = await organizations.getOrganizationMembershipList({
        organizationId,
        ...(limit !== undefined && { limit }),
        ...(offset !== undefined && { offset }),
      });
      assert.equal(totalCount, 12);
      return data.map(({ id }) => id);
    };
    assert.equal((await page()).length, 10);
    const all = [...await page(5), ...await page(5, 5), ...await page(5, 10)];
    assert.deepEqual(all, await page(500));
    assert.equal(new Set(all).size, 12);
    await refused(page(501), 422, "form_param_value_invalid");
    const list = { organizationId, orderBy: "+age" as "+created_at" };
    const bad = organizations.getOrganizationMembershipList(list);
    await refused(bad, 422, "form_param_value_invalid");
  }));

Deno.test("a request without the right key, or with a wrong body, is refused as Clerk does", () =>
  withClerk(async ({ emulator, fixtures }) => {
    const stranger = createClerkClient({ secretKey: "sk_test_other", apiUrl: emulator.url });
    await refused(stranger.users.getCount(), 401, "clerk_key_invalid");
    const { organizations } = fixtures.client;
    const nameless = organizations.createOrganization({} as { name: string });
    const error = await refused(nameless, 422, "form_param_missing");
    assert.equal(error.errors[0]?.meta?.paramName, "name");
    assert.match(error.clerkTraceId ?? "", /^trace_/);
    const { organization } = await fixtures.createOrganization();
    const unknown = organizations.updateOrganization(organization.id, { color: "red" } as object);
    await refused(unknown, 422, "form_param_unknown");
    const unlimited = "many" as unknown as number;
    const wrong = organizations.createOrganization({ name: "X", maxAllowedMemberships: unlimited });
    await refused(wrong, 422, "form_param_value_invalid");
    const orphan = organizations.createOrganization({ name: "X", createdBy: "user_none" });
    await refused(orphan, 400, "organization_creator_not_found");
  }));
