import assert from "node:assert/strict";
import { stackEnv } from "../../stack.ts";
import { connect } from "../clients.ts";
import type { Organization } from "../organizations.ts";
import { only } from "../rows.ts";
import { resend, revoke } from "./sent_invitations.ts";
import { assertAgreement, createTeam, newAddress } from "./team.ts";

const clients = connect(stackEnv());

/** A full team with an invitation, of which Clerk knows nothing. */
async function createForgotten(): Promise<{ team: Organization; id: string }> {
  const team = await createTeam(clients, 2);
  const { id } = only(
    await clients.sql<{ id: string }[]>`
      insert into public.organization_invitations (
        organization_id, clerk_invitation_id, email, status
      ) values (${team.id}, ${`orginv_${crypto.randomUUID()}`}, ${newAddress()}, 'pending')
      returning id`,
  );
  return { team, id };
}

Deno.test("an invitation that Clerk does not know is revoked, and its seat is free", async () => {
  const { team, id } = await createForgotten();
  const { status, body } = await revoke(clients, team, id);
  assert.deepEqual([status, body.status], [200, "revoked"]);
  assert.deepEqual(body.seats, { seatLimit: 2, seatsUsed: 1, available: 1 });
  assert.deepEqual((await assertAgreement(clients, team)).invited, []);
});

Deno.test("an invitation that Clerk does not know is sent again on its own seat", async () => {
  const { team, id } = await createForgotten();
  const { status, body } = await resend(clients, team, id);
  assert.equal(status, 200, JSON.stringify(body));
  assert.deepEqual(body.seats, { seatLimit: 2, seatsUsed: 2, available: 0 });
  assert.equal((await assertAgreement(clients, team)).invited.length, 1);
});
