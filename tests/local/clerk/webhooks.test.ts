import assert from "node:assert/strict";
import { verifyWebhook } from "@clerk/backend/webhooks";
import { addMember, type ClerkBench, invite, WEBHOOK_SECRET, withClerk } from "./emulator.ts";

/** The one event of this type so far. */
async function theOnly({ fixtures, events }: ClerkBench, type: string) {
  await fixtures.control.settle();
  const [event, ...more] = events().filter((one) => one.type === type);
  if (event === undefined || more.length > 0) assert.fail(`Not exactly one ${type}`);
  return event;
}

Deno.test("the nine organization events arrive, signed, with Clerk's envelope", () =>
  withClerk(async (bench) => {
    const { fixtures, events } = bench;
    const { organizations } = fixtures.client;
    const before = Date.now();
    const { organization: { id: organizationId } } = await fixtures.createOrganization();
    await organizations.updateOrganization(organizationId, { name: "New" });
    const accepted = await invite(fixtures, organizationId);
    const invitationId = await invite(fixtures, organizationId);
    await organizations.revokeOrganizationInvitation({ organizationId, invitationId });
    const userId = await fixtures.acceptInvitation(accepted);
    await organizations.updateOrganizationMembership({ organizationId, userId, role: "org:admin" });
    await organizations.deleteOrganizationMembership({ organizationId, userId });
    await organizations.deleteOrganization(organizationId);
    await fixtures.control.settle();

    assert.deepEqual(events().map(({ type }) => type).sort(), [
      "organization.created",
      "organization.deleted",
      "organization.updated",
      "organizationInvitation.accepted",
      "organizationInvitation.created",
      "organizationInvitation.created",
      "organizationInvitation.revoked",
      "organizationMembership.created",
      "organizationMembership.created",
      "organizationMembership.deleted",
      "organizationMembership.updated",
    ]);
    for (const event of events()) {
      assert.equal(event.object, "event");
      assert.ok(event.timestamp >= before && event.timestamp <= Date.now());
      assert.match(event.instance_id, /^ins_/);
      assert.equal(event.event_attributes.http_request.client_ip, "127.0.0.1");
    }
  }));

Deno.test("an organization's events carry the organization, its end only what names it", () =>
  withClerk(async (bench) => {
    const { fixtures } = bench;
    const { organization, adminId } = await fixtures.createOrganization({
      maxAllowedMemberships: 5,
    });
    const created = await theOnly(bench, "organization.created");
    assert.ok(created.type === "organization.created");
    assert.equal(created.data.id, organization.id);
    assert.equal(created.data.created_by, adminId);
    assert.equal(created.data.max_allowed_memberships, 5);
    assert.match(created.event_attributes.http_request.user_agent, /clerk/);

    await fixtures.client.organizations.deleteOrganization(organization.id);
    const deleted = await theOnly(bench, "organization.deleted");
    assert.deepEqual(deleted.data, {
      object: "organization",
      id: organization.id,
      slug: organization.slug,
      deleted: true,
    });
  }));

Deno.test("a membership's events carry it whole, its end too", () =>
  withClerk(async (bench) => {
    const { fixtures } = bench;
    const { organization: { id: organizationId } } = await fixtures.createOrganization();
    const user = await fixtures.createUser({ email: "ada@example.com" });
    await addMember(fixtures, organizationId, { userId: user.id });
    await fixtures.client.users.deleteUser(user.id);
    const deleted = await theOnly(bench, "organizationMembership.deleted");
    assert.ok(deleted.type === "organizationMembership.deleted");
    assert.match(deleted.data.id, /^orgmem_/);
    assert.equal(deleted.data.role, "org:member");
    assert.equal(deleted.data.organization.id, organizationId);
    assert.equal(deleted.data.organization.members_count, 1);
    assert.equal(deleted.data.public_user_data.user_id, user.id);
    assert.equal(deleted.data.public_user_data.identifier, "ada@example.com");
  }));

Deno.test("an accepted invitation's event says who accepted it", () =>
  withClerk(async (bench) => {
    const { fixtures } = bench;
    const { organization } = await fixtures.createOrganization();
    const invitationId = await invite(fixtures, organization.id, "ada@example.com");
    const userId = await fixtures.acceptInvitation(invitationId);
    const { data } = await theOnly(bench, "organizationInvitation.accepted");
    const { id, email_address, status, user_id, organization_id } = data as unknown as Record<
      string,
      unknown
    >;
    assert.deepEqual({ id, email_address, status, user_id, organization_id }, {
      id: invitationId,
      email_address: "ada@example.com",
      status: "accepted",
      user_id: userId,
      organization_id: organization.id,
    });
  }));

Deno.test("Clerk's own verifier takes a delivery, and refuses an altered one", () =>
  withClerk(async ({ fixtures, receiver }) => {
    const { organization } = await fixtures.createOrganization();
    await fixtures.control.settle({ type: "organization.created" });
    const sent = receiver.received.find(({ body }) => body.includes('"organization.created"'));
    assert.ok(sent);
    const verify = (body: string, signingSecret = WEBHOOK_SECRET) =>
      verifyWebhook(
        new Request("http://localhost", { method: "POST", headers: sent.headers, body }),
        { signingSecret },
      );
    const event = await verify(sent.body);
    assert.equal(event.type === "organization.created" && event.data.id, organization.id);
    await assert.rejects(verify(sent.body.replace("created", "deleted")), /verify/);
    await assert.rejects(verify(sent.body, "whsec_b3RoZXJzZWNyZXRzZWNyZXRzZWNyZXQ="), /verify/);
  }));

Deno.test("a delivery that met a 500 is tried again under the same svix-id", () =>
  withClerk(async ({ fixtures, receiver, events }) => {
    receiver.answers.push(500, 500, 500);
    await fixtures.createOrganization();
    await fixtures.control.settle();
    const settled = await fixtures.control.deliveries();
    assert.deepEqual(settled.map(({ state }) => state), ["delivered", "delivered"]);
    assert.equal(receiver.received.length, 5);
    const ids = receiver.received.map(({ headers }) => headers.get("svix-id"));
    assert.equal(new Set(ids).size, 2);
    assert.equal(events().length, 5);
  }));

Deno.test("webhooks are lost, doubled, held and turned round as a policy says", () =>
  withClerk(async ({ fixtures, events }) => {
    const { control } = fixtures;
    const { organization: { id } } = await fixtures.createOrganization();
    const { organization: { id: other } } = await fixtures.createOrganization();
    await control.settle();
    const start = events().length;

    await control.addPolicy({ kind: "drop", contains: id, times: 1 });
    await addMember(fixtures, id);
    await addMember(fixtures, other);
    await control.settle();
    assert.equal(events().length, start + 1);

    await control.addPolicy({ kind: "hold", contains: id, times: 0 });
    await control.addPolicy({ kind: "duplicate", contains: id, times: 1 });
    const invitationId = await invite(fixtures, id);
    await fixtures.acceptInvitation(invitationId);
    await control.settle();
    assert.equal(events().length, start + 1);
    await control.release({ contains: id, order: "lifo" });
    assert.deepEqual(events().slice(start + 1).map(({ type }) => type), [
      "organizationMembership.created",
      "organizationInvitation.accepted",
      "organizationInvitation.created",
      "organizationInvitation.created",
    ]);
  }));

Deno.test("a replay sends an organization's events again, verifiable, under their old ids", () =>
  withClerk(async ({ fixtures, receiver, events }) => {
    const { organization: { id } } = await fixtures.createOrganization();
    await fixtures.createOrganization();
    await fixtures.control.settle();
    const results = await fixtures.control.replay({ contains: id, times: 3, order: "shuffled" });
    assert.deepEqual(results.map(({ status }) => status), Array(6).fill(200));
    assert.equal(events().length, 4 + 6);
    const ids = receiver.received.map(({ headers }) => headers.get("svix-id"));
    assert.equal(new Set(ids).size, 4);
  }));

Deno.test("every endpoint gets each event; a known one gets a new secret; a removed one none", () =>
  withClerk(async ({ fixtures, receiver }) => {
    const { control } = fixtures;
    const add = (secret: string) =>
      control.request<{ id: string }>("POST", "/webhook_endpoints", {
        url: `${receiver.url}/second`,
        secret,
      });
    const { id } = await add("whsec_c2Vjb25kc2VjcmV0c2Vjb25kc2VjcmV0");
    assert.equal((await add("whsec_dGhpcmRzZWNyZXR0aGlyZHNlY3JldA==")).id, id);
    await fixtures.createOrganization();
    await control.settle();
    assert.equal((await control.deliveries()).length, 4);
    const ids = receiver.received.map(({ headers }) => headers.get("svix-id"));
    assert.equal(new Set(ids).size, 2);

    await control.request("DELETE", `/webhook_endpoints/${id}`);
    await fixtures.createOrganization();
    await control.settle();
    assert.equal((await control.deliveries()).length, 6);
  }));
