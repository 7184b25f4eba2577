import assert from "node:assert/strict";
import { refused, withClerk } from "./emulator.ts";

const QUOTA = "organization_membership_quota_exceeded";

Deno.test("an organization takes as many people as its limit allows, invitations counted", () =>
  withClerk(async ({ fixtures }) => {
    const { organizations } = fixtures.client;
    const { organization: { id } } = await fixtures.createOrganization({
      maxAllowedMemberships: 3,
    });
    await fixtures.addMember(id);
    const invitationId = await fixtures.invite(id);

    const error = await refused(fixtures.addMember(id), 403, QUOTA);
    assert.match(error.errors[0]?.longMessage ?? "", /limit of 3 .* outstanding invitations/);
    await refused(fixtures.invite(id), 403, QUOTA);

    await organizations.revokeOrganizationInvitation({ organizationId: id, invitationId });
    await fixtures.addMember(id);
    await refused(fixtures.addMember(id), 403, QUOTA);

    await organizations.updateOrganization(id, { maxAllowedMemberships: 4 });
    await fixtures.addMember(id);
  }));

Deno.test("a limit of 0 is no limit", () =>
  withClerk(async ({ fixtures }) => {
    const { organization: { id } } = await fixtures.createOrganization({
      maxAllowedMemberships: 1,
    });
    await refused(fixtures.addMember(id), 403, QUOTA);
    await fixtures.client.organizations.updateOrganization(id, { maxAllowedMemberships: 0 });
    await fixtures.addMember(id);
  }));

Deno.test("a limit below what is in use keeps everyone and lets nobody else in", () =>
  withClerk(async ({ fixtures }) => {
    const { organizations } = fixtures.client;
    const { organization: { id: organizationId } } = await fixtures.createOrganization();
    await fixtures.addMember(organizationId);
    const invitationId = await fixtures.invite(organizationId);
    await organizations.updateOrganization(organizationId, { maxAllowedMemberships: 1 });
    await refused(fixtures.addMember(organizationId), 403, QUOTA);
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
      ...users.map(({ id: userId }) => fixtures.addMember(organizationId, { userId })),
      ...users.map(() => fixtures.invite(organizationId)),
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
