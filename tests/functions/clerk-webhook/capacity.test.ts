import assert from "node:assert/strict";
import { stackEnv } from "../../stack.ts";
import { buySeats } from "../checkout.ts";
import { connect } from "../clients.ts";
import { addInvitations, addMembers, createOrganization } from "../organizations.ts";
import { numbersOf, only } from "../rows.ts";
import { logged, withFunction } from "../served_function.ts";
import { deliverSigned } from "./deliveries.ts";

const clients = connect(stackEnv());
const { admin, clerk, env, sql } = clients;

for (
  const order of [
    ["organizationInvitation.accepted", "organizationMembership.created"],
    ["organizationMembership.created", "organizationInvitation.accepted"],
  ]
) {
  Deno.test(`at three of three, accepting takes one seat all along: ${order.join(", ")}`, async () => {
    const organization = await createOrganization(clients);
    const contains = organization.clerkId;
    await buySeats(clients, organization, { seats: 3 });
    await addMembers(clients, organization, 1);
    const [invitationId = ""] = await addInvitations(clients, organization, 1);
    const assertFull = async () => {
      const { used, limit, overCapacity } = await numbersOf(sql, organization);
      assert.deepEqual({ used, limit, overCapacity }, { used: 3, limit: 3, overCapacity: false });
    };
    await assertFull();

    const hold = await clerk.control.addPolicy({ contains, kind: "hold", times: 0 });
    await clerk.acceptInvitation(invitationId);
    await clerk.control.removePolicy(hold);
    for (const type of order) {
      only(await clerk.control.release({ contains, type }));
      await assertFull();
    }
    const { members, invitations } = await numbersOf(sql, organization);
    assert.deepEqual({ members, invitations }, { members: 3, invitations: 0 });
  });
}

Deno.test("members past the limit are recorded, and nobody else is let in", async () => {
  const organization = await createOrganization(clients);
  await buySeats(clients, organization, { seats: 2 });
  await addMembers(clients, organization, 3);
  const { members, limit, overCapacity } = await numbersOf(sql, organization);
  assert.deepEqual({ members, limit, overCapacity }, { members: 4, limit: 2, overCapacity: true });

  const { data } = await admin
    .rpc("check_organization_capacity", { p_organization_id: organization.id }).throwOnError();
  assert.deepEqual(only(data), {
    can_add: false,
    current_members: 4,
    seat_limit: 2,
    remaining_seats: -2,
  });
});

Deno.test("the member that takes an organization past its limit raises one alert", async () => {
  const organization = await createOrganization(clients);
  const contains = organization.clerkId;
  await buySeats(clients, organization, { seats: 2 });
  const hold = await clerk.control.addPolicy({ contains, kind: "hold", times: 0 });
  await Promise.all([1, 2, 3].map(() => clerk.addMember(organization.clerkId)));
  await clerk.control.removePolicy(hold);
  const held = await clerk.control.deliveries({ contains, status: "held" });
  assert.equal(held.length, 3);

  await withFunction(clients, "clerk-webhook", {}, async (served) => {
    for (const { payload, eventId } of [...held, ...held]) {
      const { status } = await deliverSigned(clients, payload, { id: eventId }, served.base);
      assert.equal(status, 200);
    }
    const [alert, ...more] = logged(served, "alert");
    assert.deepEqual(more, []);
    const { requestId, ...rest } = alert ?? {};
    assert.match(String(requestId), /^[0-9a-f-]{36}$/);
    assert.deepEqual(rest, {
      level: "alert",
      message: "over_capacity",
      function: "clerk-webhook",
      messageId: held[1]?.eventId,
      organizationId: organization.id,
    });
    const log = served.lines.join("\n");
    for (const secret of [env.CLERK_WEBHOOK_SIGNING_SECRET, env.SUPABASE_SECRET_KEY]) {
      assert(!log.includes(secret), "The log holds a secret");
    }
  });
});

Deno.test("without a purchase a new organization raises no alert", async () => {
  const { id: createdBy } = await clerk.createUser();
  const hold = await clerk.control.addPolicy({ contains: createdBy, kind: "hold", times: 0 });
  const { organization } = await clerk.createOrganization({ createdBy });
  await clerk.control.removePolicy(hold);
  const held = await clerk.control.deliveries({ contains: organization.id, status: "held" });
  assert.equal(held.length, 2);
  await withFunction(clients, "clerk-webhook", {}, async (served) => {
    for (const { payload } of held) {
      assert.equal((await deliverSigned(clients, payload, {}, served.base)).status, 200);
    }
    assert.deepEqual(logged(served, "alert"), []);
  });
  const row = only(
    await sql`select over_capacity from public.organizations where clerk_org_id = ${organization.id}`,
  );
  assert.equal(row["over_capacity"], true);
});
