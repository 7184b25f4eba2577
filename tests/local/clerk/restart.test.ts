import assert from "node:assert/strict";
import { verifyToken } from "@clerk/backend";
import { withClerk } from "./emulator.ts";

Deno.test("everything is there again after a restart, the signing key included", async () => {
  const folder = await Deno.makeTempDir();
  const options = { statePath: `${folder}/clerk.json`, retryScheduleMs: [3_600_000] };
  try {
    const before = await withClerkValue(options, async ({ fixtures }) => {
      const { organization, adminId } = await fixtures.createOrganization();
      const invitationId = await fixtures.invite(organization.id);
      const token = await fixtures.sessionToken({ userId: adminId, expiresInSeconds: 3600 });
      return { organizationId: organization.id, adminId, invitationId, token };
    });
    await withClerk(async ({ emulator, fixtures }) => {
      const { organizationId, adminId, invitationId, token } = before;
      const { organizations } = fixtures.client;
      const members = await organizations.getOrganizationMembershipList({ organizationId });
      assert.equal(members.data[0]?.publicUserData?.userId, adminId);
      await organizations.getOrganizationInvitation({ organizationId, invitationId });
      assert.equal((await verifyToken(token, { jwtKey: emulator.jwtKey })).sub, adminId);
      const waiting = await fixtures.control.deliveries({ status: "pending" });
      assert.deepEqual(waiting.map(({ type }) => type).sort(), [
        "organization.created",
        "organizationInvitation.created",
        "organizationMembership.created",
      ]);
    }, options);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

type Bench = Parameters<Parameters<typeof withClerk>[0]>[0];

async function withClerkValue<T>(
  options: Parameters<typeof withClerk>[1],
  run: (bench: Bench) => Promise<T>,
): Promise<T> {
  const values: T[] = [];
  await withClerk(async (bench) => {
    values.push(await run(bench));
  }, options);
  const [value] = values;
  if (value === undefined) throw new Error("The test gave no value");
  return value;
}
