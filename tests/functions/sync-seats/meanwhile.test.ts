import assert from "node:assert/strict";
import { stackEnv } from "../../stack.ts";
import { assertRefused } from "../api.ts";
import { buySeats, changeQuantity } from "../checkout.ts";
import { invitationsOf, seatsOf } from "../clerk-webhook/people.ts";
import { connect } from "../clients.ts";
import {
  addInvitations,
  addMembers,
  createOrganization,
  type Organization,
  settled,
  withoutClerkWebhooks,
} from "../organizations.ts";
import { type AddedFault, addFault, HOLDUP_MS } from "../requests.ts";
import { numbersOf } from "../rows.ts";
import { callSync, kindsOf, sync, syncUntilAgreed } from "./sync.ts";

const clients = connect(stackEnv());
const { clerk, sql } = clients;

/** Holds up what a sync asks Clerk, until it is removed. */
function slowClerk(
  { clerkId }: Organization,
  list: "memberships" | "invitations",
  contains: string,
): Promise<AddedFault> {
  return addFault(clerk.control, {
    match: { method: "GET", path: `^/v1/organizations/${clerkId}/${list}$`, contains },
    kind: "delay",
    delayMs: HOLDUP_MS,
  });
}

/** Clerk's lists have more than one page of these. */
const MANY = 510;

/** Invites that many people without Postgres hearing of it. */
async function inviteMany(organization: Organization, count: number): Promise<string[]> {
  return await withoutClerkWebhooks(
    clients,
    organization,
    () => Promise.all(Array.from({ length: count }, () => clerk.invite(organization.clerkId))),
  );
}

Deno.test("a sync under way keeps out a second one, and then lets it in", async () => {
  const organization = await createOrganization(clients);
  const slow = await slowClerk(organization, "memberships", "limit=500");
  const first = sync(clients, organization);
  await slow.struck(1);
  assertRefused(await callSync(clients, organization), 409, "sync_in_progress");
  await slow.remove();
  assert.deepEqual((await first).drift, []);
  assert.deepEqual((await sync(clients, organization)).drift, []);
});

Deno.test("whoever is invited while the lists are read is left alone", async () => {
  const organization = await createOrganization(clients);
  await withoutClerkWebhooks(clients, organization, () => clerk.addMember(organization.clerkId));
  const slow = await slowClerk(organization, "memberships", "limit=500");
  const syncing = sync(clients, organization);
  await slow.struck(1);
  const [invitationId] = await addInvitations(clients, organization, 1);
  await slow.remove();

  assert.deepEqual(kindsOf((await syncing).drift), { member_missing: 1 });
  assert.deepEqual(
    (await invitationsOf(sql, organization.clerkId)).map(({ clerkId, status }) => [
      clerkId,
      status,
    ]),
    [[invitationId, "pending"]],
  );
  assert.deepEqual((await sync(clients, organization)).drift, []);
});

Deno.test("whoever leaves while the lists are read is not brought back", async () => {
  const organization = await createOrganization(clients);
  const [userId = ""] = await addMembers(clients, organization, 1);
  const [invitationId = ""] = await addInvitations(clients, organization, 1);
  await withoutClerkWebhooks(clients, organization, () => clerk.addMember(organization.clerkId));
  const slow = await slowClerk(organization, "memberships", "limit=500");
  const syncing = sync(clients, organization);
  await slow.struck(1);
  await Promise.all([
    clerk.client.organizations.deleteOrganizationMembership({
      organizationId: organization.clerkId,
      userId,
    }),
    clerk.client.organizations.revokeOrganizationInvitation({
      organizationId: organization.clerkId,
      invitationId,
      requestingUserId: organization.adminId,
    }),
  ]);
  await settled(clients, organization.clerkId);
  await slow.remove();

  assert.deepEqual(kindsOf((await syncing).drift), { member_missing: 1 });
  assert.deepEqual(await seatsOf(sql, organization.clerkId), { members: 2, invitations: 0 });
  assert.deepEqual((await sync(clients, organization)).drift, []);
});

Deno.test("seats that change while Clerk is asked are not set back to what Stripe said before", async () => {
  const organization = await createOrganization(clients);
  const purchase = await buySeats(clients, organization);
  const slow = await slowClerk(organization, "memberships", "limit=500");
  const syncing = sync(clients, organization);
  await slow.struck(1);
  await changeQuantity(clients, purchase, 9);
  await slow.remove();

  const { drift, seatsTotal } = await syncing;
  assert.deepEqual({ drift, seatsTotal }, { drift: [], seatsTotal: 9 });
  assert.equal((await numbersOf(sql, organization)).limit, 9);
});

Deno.test("more than one page of a list is read, also when it changes meanwhile", async () => {
  const organization = await createOrganization(clients);
  const ids = await inviteMany(organization, MANY);
  const slow = await slowClerk(organization, "invitations", "offset=500");
  const syncing = sync(clients, organization);
  await slow.struck(1);
  // It leaves the first page, which was read already, and pulls the others forward.
  await withoutClerkWebhooks(
    clients,
    organization,
    () =>
      clerk.client.organizations.revokeOrganizationInvitation({
        organizationId: organization.clerkId,
        invitationId: ids[MANY - 1] ?? "",
        requestingUserId: organization.adminId,
      }),
  );
  await slow.remove();
  const { drift, pendingInvitationsCount } = await syncing;
  assert.deepEqual(kindsOf(drift), { invitation_missing: MANY - 1 });
  assert.equal(pendingInvitationsCount, MANY - 1);
  const held = (await invitationsOf(sql, organization.clerkId)).map(({ clerkId }) => clerkId);
  assert.deepEqual(new Set(held), new Set(ids.slice(0, -1)));
  assert.deepEqual(await syncUntilAgreed(clients, organization), []);
});
