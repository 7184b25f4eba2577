import assert from "node:assert/strict";
import { addMember, invite, refused, withClerk } from "./emulator.ts";

const QUOTA = "organization_membership_quota_exceeded";

Deno.test("an organization takes as many people as its limit allows, invitations counted", () =>
  withClerk(async ({ fixtures }) => {
    const { organizations } = fixtures.client;
    const { organization: { id } } = await fixtures.createOrganization({
      maxAllowedMemberships: 3,
    });
    await addMember(fixtures, id);
    const invitationId = await invite(fixtures, id);

    const error = await refused(addMember(fixtures, id), 403, QUOTA);
    assert.match(error.errors[0]?.longMessage ?? "", /limit of 3 .* outstanding invitations/);
    await refused(invite(fixtures, id), 403, QUOTA);

    await organizations.revokeOrganizationInvitation({ organizationId: id, invitationId });
    await addMember(fixtures, id);
    await refused(addMember(fixtures, id), 403, QUOTA);

    await organizations.updateOrganization(id, { maxAllowedMemberships: 4 });
    await addMember(fixtures, id);
  }));

Deno.test("a limit of 0 is no limit", () =>
  withClerk(async ({ fixtures }) => {
    const { organization: { id } } = await fixtures.createOrganization({
      maxAllowedMemberships: 1,
    });
    await refused(addMember(fixtures, id), 403, QUOTA);
    await fixtures.client.organizations.updateOrganization(id, { maxAllowedMemberships: 0 });
    await addMember(fixtures, id);
  }));

Deno.test("a limit below what is in use keeps everyone and lets nobody else in", () =>
  withClerk(async ({ fixtures }) => {
    const { organizations } = fixtures.client;
    const { organization: { id: organizationId } } = await fixtures.createOrganization();
    await addMember(fixtures, organizationId);
    const invitationId = await invite(fixtures, organizationId);
    await organizations.updateOrganization(organizationId, { maxAllowedMemberships: 1 });
    await refused(addMember(fixtures, organizationId), 403, QUOTA);
    await fixtures.acceptInvitation(invitationId);
    const members = await organizations.getOrganizationMembershipList({ organizationId });
    assert.equal(members.totalCount, 3);
  }));

Deno.test("a bulk of invitations that does not fit invites nobody", () =>
  withClerk(async ({ fixtures, events }) => {
    const { organizations } = fixtures.client;
    const { organization: { id } } = await fixtures.createOrganization({
      maxAllowedMemberships: 3,
    });
    const bulk = (...names: string[]) =>
      organizations.createOrganizationInvitationBulk(
        id,
        names.map((name) => ({ emailAddress: `${name}@example.com`, role: "org:member" })),
      );
    await refused(bulk("a", "b", "c"), 403, QUOTA);
    assert.equal((await bulk("a", "b")).totalCount, 2);
    await fixtures.control.settle();
    const invited = events().filter(({ type }) => type === "organizationInvitation.created");
    assert.equal(invited.length, 2);
  }));

Deno.test("of 64 memberships and invitations at once for the last place, one is taken", () =>
  withClerk(async ({ fixtures }) => {
    const { organizations } = fixtures.client;
    const { organization: { id: organizationId } } = await fixtures.createOrganization({
      maxAllowedMemberships: 2,
    });
    const users = await Promise.all(Array.from({ length: 32 }, () => fixtures.createUser()));
    const outcomes = await Promise.allSettled([
      ...users.map(({ id: userId }) => addMember(fixtures, organizationId, { userId })),
      ...users.map(() => invite(fixtures, organizationId)),
    ]);
    assert.equal(outcomes.filter(({ status }) => status === "fulfilled").length, 1);
    for (const outcome of outcomes) {
      if (outcome.status === "rejected") await refused(Promise.reject(outcome.reason), 403, QUOTA);
    }
    const members = await organizations.getOrganizationMembershipList({ organizationId });
    const pending = await organizations.getOrganizationInvitationList({
      organizationId,
      status: ["pending"],
    });
    assert.equal(members.totalCount + pending.totalCount, 2);
  }));

Deno.test("ways that ask for no limit lead past it", () =>
  withClerk(async ({ fixtures, events }) => {
    const { organizations } = fixtures.client;
    const { organization: { id: organizationId } } = await fixtures.createOrganization({
      maxAllowedMemberships: 1,
    });
    const { id, role, publicUserData: { userId } } = await fixtures.addMember(organizationId);
    const invitationId = await fixtures.invite(organizationId, "ada@example.com");

    const members = await organizations.getOrganizationMembershipList({
      organizationId,
      userId: [userId],
    });
    assert.deepEqual(members.data.map((one) => [one.id, one.role]), [[id, role]]);
    const { data: [invitation] } = await organizations.getOrganizationInvitationList({
      organizationId,
      status: ["pending"],
    });
    assert.deepEqual([invitation?.id, invitation?.emailAddress], [invitationId, "ada@example.com"]);
    await fixtures.control.settle();
    const told = events().map(({ type, data }) => [type, data.id] as const);
    for (
      const event of [
        ["organizationMembership.created", id],
        ["organizationInvitation.created", invitationId],
      ] as const
    ) {
      assert(told.some((one) => one.join() === event.join()), `${event} was not told`);
    }
    await assert.rejects(fixtures.addMember(organizationId, { userId }), /400.*already_a_member/);
    await assert.rejects(fixtures.invite(organizationId, "ADA@example.com"), /400.*not_unique/);
    await assert.rejects(fixtures.addMember("org_0"), /404/);
  }));
