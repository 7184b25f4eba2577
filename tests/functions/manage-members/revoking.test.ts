import assert from "node:assert/strict";
import { stackEnv } from "../../stack.ts";
import { assertRefused } from "../api.ts";
import { connect } from "../clients.ts";
import { settled, withoutClerkWebhooks } from "../organizations.ts";
import { addFault, OUTAGES } from "../requests.ts";
import { numbersOf, only } from "../rows.ts";
import { syncUntilAgreed } from "../sync-seats/sync.ts";
import {
  createInvited,
  creating,
  resend,
  revoke,
  revoking,
  rowsOf,
  statusInClerk,
} from "./sent_invitations.ts";
import { askToInvite, assertAgreement, inviteOne, newAddress } from "./team.ts";

const clients = connect(stackEnv());
const { clerk, sql } = clients;

Deno.test("an invitation is revoked, and its seat is free at once", async () => {
  const { team, row } = await createInvited(clients);
  await withoutClerkWebhooks(clients, team, async () => {
    const { status, body } = await revoke(clients, team, row.id);
    assert.equal(status, 200);
    assert.equal(body.status, "revoked");
    assert.deepEqual(body.seats, { seatLimit: 2, seatsUsed: 1, available: 1 });
    assert.equal(await statusInClerk(clients, team, row.clerkId), "revoked");
    await inviteOne(clients, team);
  });
  await assertAgreement(clients, team);
});

Deno.test("revoking twice is as good as once", async () => {
  const { team, row } = await createInvited(clients);
  const answers = await Promise.all([revoke(clients, team, row.id), revoke(clients, team, row.id)]);
  answers.push(await revoke(clients, team, row.id));
  assert.deepEqual(answers.map(({ status, body }) => [status, body.status]), [
    [200, "revoked"],
    [200, "revoked"],
    [200, "revoked"],
  ]);
  await assertAgreement(clients, team);
});

Deno.test("what has ended in Clerk unheard is recorded as it was", async () => {
  for (const how of ["revoked", "expired"] as const) {
    const { team, row } = await createInvited(clients);
    await withoutClerkWebhooks(clients, team, async () => {
      if (how === "expired") return await clerk.expireInvitation(row.clerkId);
      await clerk.client.organizations.revokeOrganizationInvitation({
        organizationId: team.clerkId,
        invitationId: row.clerkId,
      });
    });
    const { status, body } = await revoke(clients, team, row.id);
    assert.deepEqual([status, body.status], [200, how]);
    assert.equal(body.seats.seatsUsed, 1);
    await assertAgreement(clients, team);
  }
});

Deno.test("an invitation that was accepted unheard is not revoked, and keeps its seat", async () => {
  const { team, row } = await createInvited(clients);
  await withoutClerkWebhooks(clients, team, () => clerk.acceptInvitation(row.clerkId));
  for (const call of [revoke, resend]) {
    const details = assertRefused(await call(clients, team, row.id), 409, "invitation_closed");
    assert.match(String(details["status"]), /accepted|joined/);
    const { used } = await numbersOf(sql, team);
    assert.equal(used, 2);
  }
  await syncUntilAgreed(clients, team);
  assert.equal((await assertAgreement(clients, team)).members.length, 2);
});

Deno.test("an invitation that led to a member is closed", async () => {
  const { team, row } = await createInvited(clients);
  await clerk.acceptInvitation(row.clerkId);
  await settled(clients, team.clerkId);
  assertRefused(await revoke(clients, team, row.id), 409, "invitation_closed");
  assertRefused(await resend(clients, team, row.id), 409, "invitation_closed");
  await assertAgreement(clients, team);
});

Deno.test("an invitation that is being sent can't be changed yet", async () => {
  const { team } = await createInvited(clients, 9);
  const slow = await addFault(clerk.control, {
    match: creating(team),
    kind: "delay",
    delayMs: 60_000,
  });
  const inviting = askToInvite(clients, team, [newAddress()]);
  await slow.struck(1);
  const { id } = only((await rowsOf(clients, team)).filter(({ status }) => status === "reserved"));
  for (const call of [revoke, resend]) {
    const answer = await call(clients, team, id);
    assertRefused(answer, 409, "invitation_in_progress");
    assert.equal(answer.headers.get("retry-after"), "30");
  }
  await slow.remove();
  assert.equal((await inviting).status, 200);
  await assertAgreement(clients, team);
});

for (const [what, fault] of OUTAGES) {
  Deno.test(`when Clerk ${what}, a revocation is answered as Clerk has it`, async () => {
    const { team, row } = await createInvited(clients);
    const added = await addFault(clerk.control, { match: revoking(team), ...fault });
    const answer = await withoutClerkWebhooks(clients, team, () => revoke(clients, team, row.id));
    await added.remove();
    if (await statusInClerk(clients, team, row.clerkId) === "revoked") {
      assert.equal(answer.status, 200);
      assert.equal(answer.body.seats.seatsUsed, 1);
    } else {
      assertRefused(answer, 503, "clerk_unavailable");
      assert.equal((await numbersOf(sql, team)).used, 2);
    }
    await assertAgreement(clients, team);
  });
}
