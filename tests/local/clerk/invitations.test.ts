import assert from "node:assert/strict";
import type { ClerkFixtures } from "../../../local/clerk/fixtures.ts";
import { addMember, invite, refused, withClerk } from "./emulator.ts";

const DAY_MS = 86_400_000;

async function statuses({ client }: ClerkFixtures, organizationId: string) {
  const { data } = await client.organizations.getOrganizationInvitationList({
    organizationId,
    limit: 100,
  });
  return Object.fromEntries(data.map(({ id, status }) => [id, status]));
}

Deno.test("an invitation is pending and lives for 30 days, or as long as it says", () =>
  withClerk(async ({ fixtures }) => {
    const { organizations } = fixtures.client;
    const { organization: { id: organizationId }, adminId } = await fixtures.createOrganization();
    const before = Date.now();
    const invitation = await organizations.createOrganizationInvitation({
      organizationId,
      emailAddress: "New@example.com",
      role: "org:admin",
      inviterUserId: adminId,
      publicMetadata: { team: "blue" },
    });
    assert.match(invitation.id, /^orginv_/);
    assert.equal(invitation.emailAddress, "New@example.com");
    assert.equal(invitation.status, "pending");
    assert.equal(invitation.roleName, "Admin");
    assert.equal(invitation.publicOrganizationData?.id, organizationId);
    assert.equal(invitation.expiresAt, invitation.createdAt + 30 * DAY_MS);
    assert.ok(invitation.createdAt >= before);
    const got = await organizations.getOrganizationInvitation({
      organizationId,
      invitationId: invitation.id,
    });
    assert.deepEqual(got, invitation);

    const short = await organizations.createOrganizationInvitation({
      organizationId,
      emailAddress: "short@example.com",
      role: "org:member",
      expiresInDays: 2,
    });
    assert.equal(short.expiresAt, short.createdAt + 2 * DAY_MS);
  }));

Deno.test("an invitee who accepts becomes a member with the invitation's role and metadata", () =>
  withClerk(async ({ fixtures }) => {
    const { organizations, users } = fixtures.client;
    const { organization: { id: organizationId } } = await fixtures.createOrganization({
      maxAllowedMemberships: 2,
    });
    const invitation = await organizations.createOrganizationInvitation({
      organizationId,
      emailAddress: "new@example.com",
      role: "org:admin",
      publicMetadata: { team: "blue" },
    });
    const userId = await fixtures.acceptInvitation(invitation.id);
    assert.equal((await users.getUser(userId)).emailAddresses[0]?.emailAddress, "new@example.com");
    const members = await organizations.getOrganizationMembershipList({
      organizationId,
      userId: [userId],
    });
    assert.equal(members.data[0]?.role, "org:admin");
    assert.deepEqual(members.data[0]?.publicMetadata, { team: "blue" });
    assert.deepEqual(await statuses(fixtures, organizationId), { [invitation.id]: "accepted" });
    await assert.rejects(fixtures.acceptInvitation(invitation.id), /404.*not_pending/);
  }));

Deno.test("a user who exists accepts under the address that was invited, whatever its case", () =>
  withClerk(async ({ fixtures }) => {
    const user = await fixtures.createUser({ email: "ada@example.com" });
    const { organization } = await fixtures.createOrganization();
    const invitationId = await invite(fixtures, organization.id, "ADA@example.com");
    const open = await fixtures.client.users.getOrganizationInvitationList({
      userId: user.id,
      status: "pending",
    });
    assert.deepEqual(open.data.map(({ id }) => id), [invitationId]);
    assert.equal(await fixtures.acceptInvitation(invitationId), user.id);
  }));

Deno.test("an expired invitation gives its place back without an event", () =>
  withClerk(async ({ fixtures, receiver }) => {
    const { organization: { id: organizationId } } = await fixtures.createOrganization({
      maxAllowedMemberships: 2,
    });
    const invitationId = await invite(fixtures, organizationId, "late@example.com");
    await fixtures.control.settle();
    const before = receiver.received.length;
    await fixtures.expireInvitation(invitationId);
    assert.deepEqual(await statuses(fixtures, organizationId), { [invitationId]: "expired" });
    await fixtures.control.settle();
    assert.equal((await fixtures.control.deliveries()).length, before);

    const { organizations } = fixtures.client;
    const revoke = organizations.revokeOrganizationInvitation({ organizationId, invitationId });
    await refused(revoke, 404, "organization_invitation_not_pending");
    await assert.rejects(fixtures.acceptInvitation(invitationId), /not_pending/);
    await invite(fixtures, organizationId, "late@example.com");
  }));

Deno.test("only pending invitations are revoked, and lists are filtered by status", () =>
  withClerk(async ({ fixtures }) => {
    const { organizations } = fixtures.client;
    const { organization: { id: organizationId }, adminId } = await fixtures.createOrganization();
    const [revoked = "", accepted = "", pending = ""] = await Promise.all([
      invite(fixtures, organizationId),
      invite(fixtures, organizationId),
      invite(fixtures, organizationId),
    ]);
    const request = { organizationId, invitationId: revoked, requestingUserId: adminId };
    assert.equal((await organizations.revokeOrganizationInvitation(request)).status, "revoked");
    const again = organizations.revokeOrganizationInvitation(request);
    await refused(again, 404, "organization_invitation_not_pending");
    await fixtures.acceptInvitation(accepted);

    const list = async (...status: ("pending" | "accepted" | "revoked" | "expired")[]) => {
      const page = await organizations.getOrganizationInvitationList({ organizationId, status });
      assert.equal(page.totalCount, page.data.length);
      return page.data.map(({ id }) => id).sort();
    };
    assert.deepEqual(await list("pending"), [pending]);
    assert.deepEqual(await list("revoked", "accepted"), [accepted, revoked].sort());
    assert.deepEqual(await list("expired"), []);
  }));

Deno.test("nobody is invited twice, as a member, in a bulk of eleven, or by a member", () =>
  withClerk(async ({ fixtures }) => {
    const { organizations } = fixtures.client;
    const { organization: { id } } = await fixtures.createOrganization();
    const user = await fixtures.createUser({ email: "ada@example.com" });
    await addMember(fixtures, id, { userId: user.id });
    await invite(fixtures, id, "bob@example.com");

    const twice = invite(fixtures, id, "BOB@example.com");
    await refused(twice, 400, "organization_invitation_not_unique");
    const member = invite(fixtures, id, "Ada@example.com");
    await refused(member, 400, "already_a_member_in_organization");
    await refused(invite(fixtures, id, "nobody"), 422, "form_param_value_invalid");

    const bulk = (count: number) =>
      organizations.createOrganizationInvitationBulk(
        id,
        Array.from({ length: count }, (_, index) => ({
          emailAddress: `p${index}@example.com`,
          role: "org:member",
        })),
      );
    await refused(bulk(11), 400, "bulk_size_exceeded");
    assert.equal((await bulk(10)).data.length, 10);

    const byMember = organizations.createOrganizationInvitation({
      organizationId: id,
      emailAddress: "x@example.com",
      role: "org:member",
      inviterUserId: user.id,
    });
    await refused(byMember, 403, "missing_organization_permission");
  }));
