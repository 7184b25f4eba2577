import assert from "node:assert/strict";
import { verifyToken } from "@clerk/backend";
import { ClerkFixtures } from "../../../local/clerk/fixtures.ts";
import { startClerkEmulator } from "../../../local/clerk/server.ts";
import { startReceiver } from "../emulation/receiver.ts";
import { invite, SECRET_KEY, WEBHOOK_SECRET } from "./emulator.ts";

Deno.test("everything is there after a restart: objects, signing key, pending webhooks", async () => {
  const folder = await Deno.makeTempDir();
  const receiver = await startReceiver();
  const start = async () => {
    const emulator = await startClerkEmulator({
      statePath: `${folder}/clerk.json`,
      secretKey: SECRET_KEY,
      publishableKey: "pk_test_c2VhdGtlZXBlcg",
      retryScheduleMs: [3_600_000],
    });
    const env = { CLERK_API_URL: emulator.url, CLERK_SECRET_KEY: SECRET_KEY };
    const fixtures = new ClerkFixtures(env);
    // As the stack does at each start: the endpoint that is known keeps its id.
    const endpoint = { url: receiver.url, secret: WEBHOOK_SECRET };
    await fixtures.control.request("POST", "/webhook_endpoints", endpoint);
    return { emulator, fixtures };
  };
  try {
    const first = await start();
    const { organization, adminId: userId } = await first.fixtures.createOrganization();
    const organizationId = organization.id;
    const invitationId = await invite(first.fixtures, organizationId);
    const token = await first.fixtures.sessionToken({ userId, expiresInSeconds: 3600 });
    await first.emulator.close();
    assert.equal(receiver.received.length, 0);

    const { emulator, fixtures } = await start();
    const { organizations } = fixtures.client;
    const members = await organizations.getOrganizationMembershipList({ organizationId });
    assert.equal(members.data[0]?.publicUserData?.userId, userId);
    await organizations.getOrganizationInvitation({ organizationId, invitationId });
    assert.equal((await verifyToken(token, { jwtKey: emulator.jwtKey })).sub, userId);
    assert.equal(await fixtures.control.retry(), 3);
    await fixtures.control.settle();
    const settled = await fixtures.control.deliveries();
    assert.deepEqual(settled.map(({ state }) => state), Array(3).fill("delivered"));
    await emulator.close();
  } finally {
    await receiver.close();
    await Deno.remove(folder, { recursive: true });
  }
});
