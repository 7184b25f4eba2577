import assert from "node:assert/strict";
import type { FaultInput } from "../../../local/emulation/faults.ts";
import { stackEnv } from "../../stack.ts";
import { assertRefused } from "../api.ts";
import { connect } from "../clients.ts";
import { addInvitations, withoutClerkWebhooks } from "../organizations.ts";
import { addFault, OUTAGES } from "../requests.ts";
import { numbersOf, only } from "../rows.ts";
import { syncUntilAgreed } from "../sync-seats/sync.ts";
import {
  createInvited,
  creating,
  type InvitationRow,
  resend,
  revoke,
  revoking,
  rowsOf,
  statusInClerk,
} from "./sent_invitations.ts";
import { assertAgreement, inClerk, lapseHolds } from "./team.ts";

const clients = connect(stackEnv());
const { clerk, sql } = clients;

const LIMITED: Omit<FaultInput, "match"> = {
  kind: "fail",
  status: 429,
  body: { errors: [{ code: "too_many_requests", message: "Too many requests" }] },
  headers: { "retry-after": "1200" },
};

function isAlive({ status }: InvitationRow): boolean {
  return status === "pending";
}

Deno.test("an invitation is sent again on its own seat, and the old one ends", async () => {
  const { team, row } = await createInvited(clients);
  const { status, body } = await resend(clients, team, row.id);
  assert.equal(status, 200, JSON.stringify(body));
  assert.deepEqual(
    { ...body.invitation, invitationId: null },
    { email: row.email, role: "org:member", outcome: "invited", invitationId: null },
  );
  assert.notEqual(body.invitation.invitationId, row.id);
  assert.deepEqual(body.seats, { seatLimit: 2, seatsUsed: 2, available: 0 });
  assert.equal(await statusInClerk(clients, team, row.clerkId), "revoked");
  assert.deepEqual((await assertAgreement(clients, team)).invited, [row.email]);

  const fresh = only((await rowsOf(clients, team)).filter(isAlive));
  assert.equal(fresh.id, body.invitation.invitationId);
  await clerk.acceptInvitation(fresh.clerkId);
  assert.equal((await assertAgreement(clients, team)).members.length, 2);
});

Deno.test("one that has ended is sent again on a seat that is free, and only then", async () => {
  const { team, row } = await createInvited(clients);
  assert.equal((await revoke(clients, team, row.id)).status, 200);
  assert.equal((await resend(clients, team, row.id)).status, 200);
  const fresh = only((await rowsOf(clients, team)).filter(isAlive));
  assertRefused(await resend(clients, team, row.id), 409, "already_invited");

  assert.equal((await revoke(clients, team, fresh.id)).status, 200);
  await addInvitations(clients, team, 1);
  assertRefused(await resend(clients, team, row.id), 409, "seats_full");
  await assertAgreement(clients, team);
});

Deno.test("what Clerk takes no more of now leaves the old invitation as it is", async () => {
  const { team, row } = await createInvited(clients);
  const limited = await addFault(clerk.control, { match: revoking(team), ...LIMITED, times: 0 });
  for (const call of [revoke, resend]) {
    const answer = await call(clients, team, row.id);
    assertRefused(answer, 503, "clerk_unavailable");
    assert.equal(answer.headers.get("retry-after"), "1200");
    assert.deepEqual((await assertAgreement(clients, team)).invited, [row.email]);
  }
  await limited.remove();
});

Deno.test("whom Clerk does not invite anew gives the seat back", async () => {
  const { team, row } = await createInvited(clients);
  const refusing = await addFault(clerk.control, {
    match: creating(team),
    kind: "fail",
    status: 422,
    body: { errors: [{ code: "form_param_value_invalid", message: "is invalid" }] },
  });
  const details = assertRefused(await resend(clients, team, row.id), 409, "clerk_refused");
  assert.equal((details["reason"] as { code: string }).code, "form_param_value_invalid");
  await refusing.remove();
  assert.deepEqual((await assertAgreement(clients, team)).invited, []);
});

Deno.test("of two who send it again at the same moment, one seat is taken", async () => {
  const { team, row } = await createInvited(clients);
  const answers = await Promise.all([resend(clients, team, row.id), resend(clients, team, row.id)]);
  assert.ok(answers.some(({ status }) => status === 200), JSON.stringify(answers));
  for (const { status } of answers) assert.ok(status === 200 || status === 409, String(status));
  await lapseHolds(clients, team);
  await syncUntilAgreed(clients, team);
  assert.deepEqual((await assertAgreement(clients, team)).invited, [row.email]);
});

Deno.test("an invitation whose sending again was cut off can be sent again", async () => {
  const { team, row } = await createInvited(clients);
  const lost = await addFault(clerk.control, {
    match: { path: `^/v1/organizations/${team.clerkId}/invitations/` },
    kind: "drop",
    times: 0,
  });
  assertRefused(await resend(clients, team, row.id), 503, "clerk_unavailable");
  const answer = await resend(clients, team, row.id);
  assertRefused(answer, 409, "invitation_in_progress");
  await lost.remove();
  assert.deepEqual((await inClerk(clients, team)).invited, [row.email]);
  assert.equal((await numbersOf(sql, team)).used, 2);

  await lapseHolds(clients, team);
  await syncUntilAgreed(clients, team);
  await assertAgreement(clients, team);
  assert.equal((await resend(clients, team, row.id)).status, 200);
  assert.deepEqual((await assertAgreement(clients, team)).invited, [row.email]);
});

for (const [what, fault] of OUTAGES) {
  Deno.test(`when Clerk ${what}, an invitation is sent again all the same or not at all`, async () => {
    for (const match of [revoking, creating]) {
      const { team, row } = await createInvited(clients);
      const added = await addFault(clerk.control, { match: match(team), ...fault });
      const answer = await withoutClerkWebhooks(clients, team, () => resend(clients, team, row.id));
      await added.remove();
      if (answer.status === 200) {
        assert.deepEqual((await assertAgreement(clients, team)).invited, [row.email]);
        continue;
      }
      assertRefused(answer, 503, "clerk_unavailable");
      assert.equal((await numbersOf(sql, team)).used, 2);
      await lapseHolds(clients, team);
      await syncUntilAgreed(clients, team);
      await assertAgreement(clients, team);
      const again = await resend(
        clients,
        team,
        (await rowsOf(clients, team)).findLast(isAlive)?.id ?? row.id,
      );
      assert.equal(again.status, 200, JSON.stringify(again.body));
      assert.deepEqual((await assertAgreement(clients, team)).invited, [row.email]);
    }
  });
}
