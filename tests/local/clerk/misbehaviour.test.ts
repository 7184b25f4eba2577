import assert from "node:assert/strict";
import { addMember, invite, refused, withClerk } from "./emulator.ts";

Deno.test("a membership whose answer is lost exists all the same, once", () =>
  withClerk(async ({ fixtures }) => {
    const { organization: { id: organizationId } } = await fixtures.createOrganization();
    const { id: userId } = await fixtures.createUser();
    await fixtures.control.addFault({
      match: { method: "POST", path: "/memberships$", contains: userId },
      kind: "lose_answer",
    });
    const lost = addMember(fixtures, organizationId, { userId });
    await assert.rejects(lost, { errors: [{ code: "unexpected_error", message: "fetch failed" }] });
    const again = addMember(fixtures, organizationId, { userId });
    await refused(again, 400, "already_a_member_in_organization");
  }));

Deno.test("a request that is dropped or failed by a fault does nothing", () =>
  withClerk(async ({ fixtures }) => {
    const { organizations } = fixtures.client;
    const { organization: { id: organizationId } } = await fixtures.createOrganization();
    const match = { contains: organizationId };
    await fixtures.control.addFault({ match, kind: "drop" });
    await fixtures.control.addFault({ match, kind: "fail", status: 502, body: "Bad gateway" });
    await assert.rejects(invite(fixtures, organizationId));
    await assert.rejects(invite(fixtures, organizationId), { status: 502 });
    const list = await organizations.getOrganizationInvitationList({ organizationId });
    assert.equal(list.totalCount, 0);
  }));

Deno.test("Clerk's limits for development answer 429 and say when to try again", () =>
  withClerk(async ({ fixtures }) => {
    const { organizations } = fixtures.client;
    const { organization: { id } } = await fixtures.createOrganization();
    await fixtures.control.request("PUT", "/rate_limits", { profile: "development" });
    for (let count = 0; count < 10; count += 1) {
      await organizations.updateOrganization(id, { name: `Name ${count}` });
    }
    const eleventh = organizations.updateOrganization(id, { name: "One more" });
    const error = await refused(eleventh, 429, "too_many_requests");
    assert.ok(error.retryAfter !== undefined && error.retryAfter >= 1 && error.retryAfter <= 10);
    const organization = await organizations.getOrganization({ organizationId: id });
    assert.equal(organization.name, "Name 9");
  }));

Deno.test("a limit of a test's own counts all requests that match it, and can be lifted", () =>
  withClerk(async ({ fixtures }) => {
    const limits = (body: object) => fixtures.control.request("PUT", "/rate_limits", body);
    await limits({ rules: [{ path: "^/v1/users", limit: 2, windowMs: 60_000 }] });
    await fixtures.createUser();
    await fixtures.createUser();
    const error = await refused(fixtures.createUser(), 429, "too_many_requests");
    assert.ok((error.retryAfter ?? 0) > 50);
    await fixtures.client.jwks.getJwks();
    await limits({ profile: "generous" });
    await fixtures.createUser();
    await assert.rejects(limits({ profile: "none" }), /400/);
  }));
