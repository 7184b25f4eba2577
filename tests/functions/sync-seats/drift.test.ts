import assert from "node:assert/strict";
import { readRows } from "../../../local/demo/numbers.ts";
import { stackEnv } from "../../stack.ts";
import { buySeats, changeQuantity } from "../checkout.ts";
import { connect } from "../clients.ts";
import {
  addInvitations,
  addMembers,
  createOrganization,
  type Organization,
  settled,
  withoutClerkWebhooks,
} from "../organizations.ts";
import { countRequests } from "../requests.ts";
import { numbersOf, only } from "../rows.ts";
import { losingEvents } from "../stripe-webhook/deliveries.ts";
import { kindsOf, limitPushed, sync, syncUntilAgreed } from "./sync.ts";

const clients = connect(stackEnv());
const { clerk, sql, stripeControl } = clients;
const { organizations } = clerk.client;

Deno.test("where nothing has drifted the numbers are answered, for three requests", async () => {
  const organization = await createOrganization(clients);
  const purchase = await buySeats(clients, organization);
  await addMembers(clients, organization, 2);
  await addInvitations(clients, organization, 1);
  const before = await readRows(sql, organization.clerkId);
  const path = `^/v1/organizations/${organization.clerkId}/`;
  const asked = [
    await countRequests(clerk.control, { path }),
    await countRequests(stripeControl, { method: "GET", contains: purchase.customerId }),
  ];

  assert.deepEqual(await sync(clients, organization), {
    organizationId: organization.id,
    seatsUsed: 4,
    seatsTotal: 5,
    memberCount: 3,
    pendingInvitationsCount: 1,
    overCapacity: false,
    drift: [],
  });
  assert.deepEqual(await Promise.all(asked.map((one) => one.hits())), [2, 1]);
  for (const one of asked) await one.remove();
  assert.deepEqual(await readRows(sql, organization.clerkId), before);
  const row = only(
    await sql`select last_synced_at from public.organizations where id = ${organization.id}`,
  );
  assert(row["last_synced_at"] instanceof Date);
});

async function nameOf({ id }: Organization): Promise<unknown> {
  return only(await sql`select name from public.organizations where id = ${id}`)["name"];
}

async function renameUnheard(organization: Organization, name: string): Promise<void> {
  await withoutClerkWebhooks(
    clients,
    organization,
    () => organizations.updateOrganization(organization.clerkId, { name }),
  );
}

Deno.test("a name that changed unheard, in Clerk or here, is what Clerk shows", async () => {
  const organization = await createOrganization(clients);
  await limitPushed(clients, organization);
  await renameUnheard(organization, "Acme & Sons");
  assert.deepEqual(kindsOf(await syncUntilAgreed(clients, organization)), { organization_name: 1 });
  assert.equal(await nameOf(organization), "Acme & Sons");

  await sql`update public.organizations set name = 'Nonsense' where id = ${organization.id}`;
  assert.deepEqual(kindsOf(await syncUntilAgreed(clients, organization)), { organization_name: 1 });
  assert.equal(await nameOf(organization), "Acme & Sons");
});

Deno.test("a name that Postgres has no room for keeps nobody from being compared", async () => {
  const organization = await createOrganization(clients);
  await limitPushed(clients, organization);
  await renameUnheard(organization, "A\0cme \udc00");
  assert.deepEqual(kindsOf(await syncUntilAgreed(clients, organization)), { organization_name: 1 });
  assert.equal(await nameOf(organization), "A\ufffdcme \ufffd");
});

Deno.test("a limit that someone changed in Clerk is pushed again", async () => {
  const organization = await createOrganization(clients);
  await buySeats(clients, organization);
  await limitPushed(clients, organization);
  await organizations.updateOrganization(organization.clerkId, { maxAllowedMemberships: 0 });
  await settled(clients, organization.clerkId);

  assert.deepEqual(await syncUntilAgreed(clients, organization), [
    { kind: "clerk_limit", id: organization.clerkId, was: "0", is: "5" },
  ]);
  const { maxAllowedMemberships } = await organizations.getOrganization({
    organizationId: organization.clerkId,
  });
  assert.equal(maxAllowedMemberships, 5);
});

Deno.test("counts that someone wrote with triggers switched off are counted afresh", async () => {
  const organization = await createOrganization(clients);
  await addMembers(clients, organization, 1);
  await sql.begin(async (sql) => {
    await sql`set local session_replication_role = replica`;
    await sql`
      update public.organizations set members_count = 7, pending_invitations_count = 3
      where id = ${organization.id}`;
  });
  assert.deepEqual(await syncUntilAgreed(clients, organization), [
    { kind: "counts", id: organization.id, was: "7 + 3", is: "2 + 0" },
  ]);
  assert.equal((await numbersOf(sql, organization)).used, 2);
});

Deno.test("a seat limit that someone wrote with triggers switched off is what was purchased", async () => {
  const organization = await createOrganization(clients);
  await buySeats(clients, organization);
  await sql.begin(async (sql) => {
    await sql`set local session_replication_role = replica`;
    await sql`update public.organizations set seat_limit = 50 where id = ${organization.id}`;
  });
  assert.deepEqual(await syncUntilAgreed(clients, organization), [
    { kind: "seat_limit", id: organization.id, was: "50", is: "5" },
  ]);
  assert.equal((await numbersOf(sql, organization)).limit, 5);
});

Deno.test("events that arrive after the repair, at last, change nothing", async () => {
  const organization = await createOrganization(clients);
  const purchase = await buySeats(clients, organization);
  const [leaving = ""] = await addMembers(clients, organization, 2);
  const [revoked = ""] = await addInvitations(clients, organization, 1);
  await losingEvents(
    clients,
    organization.id,
    () => changeQuantity(clients, purchase, 8),
  );
  await withoutClerkWebhooks(clients, organization, async () => {
    await organizations.deleteOrganizationMembership({
      organizationId: organization.clerkId,
      userId: leaving,
    });
    await organizations.revokeOrganizationInvitation({
      organizationId: organization.clerkId,
      invitationId: revoked,
      requestingUserId: organization.adminId,
    });
    await clerk.invite(organization.clerkId);
  });

  assert.deepEqual(kindsOf(await syncUntilAgreed(clients, organization)), {
    subscription: 1,
    member_extra: 1,
    invitation_ended: 1,
    invitation_missing: 1,
  });
  const before = await readRows(sql, organization.clerkId);

  const answers = await Promise.all([
    clerk.control.replay({ contains: organization.clerkId, order: "shuffled" }),
    stripeControl.replay({ contains: organization.id, order: "shuffled" }),
  ]);
  assert.deepEqual(new Set(answers.flat().map(({ status }) => status)), new Set([200]));
  assert.deepEqual(await readRows(sql, organization.clerkId), before);
});
