import assert from "node:assert/strict";
import { readNumbers, readRows } from "../local/demo/numbers.ts";
import { buySeats } from "./functions/checkout.ts";
import { type Clients, connect } from "./functions/clients.ts";
import {
  addInvitations,
  addMembers,
  createOrganization,
  type Organization,
  settled,
  withoutClerkWebhooks,
} from "./functions/organizations.ts";
import { only } from "./functions/rows.ts";
import { kindsOf, syncUntilAgreed } from "./functions/sync-seats/sync.ts";
import { stackEnv } from "./stack.ts";

/** How many ask for the last seat at once. */
const CROWD = 64;

const clients = connect(stackEnv());
const { admin, clerk, sql, stripeControl } = clients;

async function assertNumbers(
  { clerkId }: Organization,
  expected: Partial<Awaited<ReturnType<typeof readNumbers>>>,
): Promise<void> {
  const numbers = await readNumbers(sql, clerkId);
  assert.deepEqual({ ...numbers }, { ...numbers, ...expected });
}

/** Asks to join with the organization's code, as that many new users; resolves to the requests. */
async function askToJoin({ id }: Organization, count: number): Promise<Request[]> {
  const { join_code } = only(
    await sql<{ join_code: string }[]>`
      select join_code from public.organizations where id = ${id}`,
  );
  return await Promise.all(Array.from({ length: count }, async () => {
    const { id: userId } = await clerk.createUser();
    const { data } = await admin.rpc("request_membership", {
      p_join_code: join_code,
      p_clerk_user_id: userId,
      p_email: `${userId}@example.com`,
    }).throwOnError();
    return { id: data, userId };
  }));
}

interface Request {
  readonly id: string;
  readonly userId: string;
}

/** Approves over the Data API; `200 active`, or the status and code of the refusal. */
async function approve({ id }: Request, { adminId }: Organization): Promise<string> {
  const { data, error, status } = await admin.rpc("approve_member", {
    p_member_id: id,
    p_actor: adminId,
  });
  return `${status} ${error === null ? data.status : error.message}`;
}

async function revoke(organization: Organization, invitationId: string): Promise<void> {
  await clerk.client.organizations.revokeOrganizationInvitation({
    organizationId: organization.clerkId,
    invitationId,
    requestingUserId: organization.adminId,
  });
  await settled(clients, organization.clerkId);
}

/** Two members leave and one is invited, of which Postgres does not hear. */
function changeUnheard({ clerk }: Clients, organization: Organization): Promise<void> {
  const { clerkId: organizationId, adminId } = organization;
  return withoutClerkWebhooks(clients, organization, async () => {
    const { data } = await clerk.client.organizations.getOrganizationMembershipList({
      organizationId,
    });
    const leaving = data.map(({ publicUserData }) => publicUserData?.userId ?? "")
      .filter((userId) => userId !== adminId).slice(0, 2);
    assert.equal(leaving.length, 2);
    for (const userId of leaving) {
      await clerk.client.organizations.deleteOrganizationMembership({ organizationId, userId });
    }
    await clerk.invite(organizationId);
  });
}

Deno.test("the main job: buy seats, fill them, be refused at the limit, be healed, be told thrice", async () => {
  const organization = await createOrganization(clients);
  await assertNumbers(organization, { seat_limit: 0, members: 1, seats_used: 1, can_add: false });

  await buySeats(clients, organization, { plan: "pro", seats: 5, billingPeriod: "monthly" });
  await assertNumbers(organization, { purchased_seats: 5, seat_limit: 5, can_add: true });
  const booked = await sql`
    select actor, before -> 'purchased_seats' as before, after -> 'purchased_seats' as after
    from public.billing_changes
    where organization_id = ${organization.id} and after ->> 'purchased_seats' <> '0'`;
  assert.deepEqual({ ...only(booked) }, { actor: "stripe", before: 0, after: 5 });

  await addMembers(clients, organization, 2);
  const [first = "", second = ""] = await addInvitations(clients, organization, 2);
  const full = { seats_used: 5, available: 0, can_add: false };
  await assertNumbers(organization, { members: 3, invitations: 2, ...full });

  const request = only(await askToJoin(organization, 1));
  assert.equal(await approve(request, organization), "409 seats_full");
  await assertNumbers(organization, { members: 3, invitations: 2, ...full });
  await revoke(organization, first);
  assert.equal(await approve(request, organization), "200 active");
  await clerk.addMember(organization.clerkId, { userId: request.userId });
  await settled(clients, organization.clerkId);
  await assertNumbers(organization, { members: 4, invitations: 1, ...full });

  const crowd = await askToJoin(organization, CROWD);
  await revoke(organization, second);
  const answers = await Promise.all(crowd.map((one) => approve(one, organization)));
  assert.deepEqual(
    answers.toSorted(),
    ["200 active", ...Array<string>(CROWD - 1).fill("409 seats_full")],
  );
  await assertNumbers(organization, { members: 5, invitations: 0, ...full });

  await changeUnheard(clients, organization);
  await assertNumbers(organization, { members: 5, invitations: 0, ...full });
  assert.deepEqual(kindsOf(await syncUntilAgreed(clients, organization)), {
    member_extra: 2,
    invitation_missing: 1,
  });
  await assertNumbers(organization, { members: 3, invitations: 1, available: 1, can_add: true });

  const before = await readRows(sql, organization.clerkId);
  const told = await Promise.all([
    clerk.control.replay({ contains: organization.clerkId, times: 3, order: "shuffled" }),
    stripeControl.replay({ contains: organization.id, times: 3, order: "shuffled" }),
  ]);
  assert.deepEqual(new Set(told.flat().map(({ status }) => status)), new Set([200]));
  assert.deepEqual(await readRows(sql, organization.clerkId), before);
});
