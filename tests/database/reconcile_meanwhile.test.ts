import assert from "node:assert/strict";
import { applyClerkEvent } from "./clerk_deliveries.ts";
import {
  type ClerkEvent,
  clerkInvitation,
  clerkMembership,
  clerkOrganization,
  invitationAccepted,
  invitationEvent,
  membershipEvent,
  minute,
} from "./clerk_events.ts";
import { approveMember } from "./commands.ts";
import { type Transaction, withTransaction } from "./connection.ts";
import { addRequest } from "./join_requests.ts";
import { makeOrganization, numbersOf, type Organization } from "./organizations.ts";
import { rowsOf } from "./rows.ts";
import { inState, second, stripeInvoice, stripeSubscription } from "./stripe_events.ts";
import { attachCustomer } from "./stripe_deliveries.ts";
import { report } from "./stripe_reports.ts";
import { assertCounted } from "./recount.ts";
import { claimOrganization, clerkStateOf, reconcile } from "./sync_leases.ts";

const ann = clerkMembership(clerkOrganization("org"), "ann", minute(10));
const bob = clerkInvitation({ id: "org" }, "bob", minute(10));

/** What arrives before a sync begins, and what arrives while it reads its lists. */
const STORIES: readonly [string, readonly ClerkEvent[], readonly ClerkEvent[]][] = [
  ["somebody joins", [], [membershipEvent("created", ann)]],
  ["somebody is removed", [membershipEvent("created", ann)], [
    membershipEvent("deleted", { ...ann, updatedAt: minute(20) }),
  ]],
  ["somebody gets another role", [membershipEvent("created", ann)], [
    membershipEvent("updated", { ...ann, role: "org:admin", updatedAt: minute(20) }),
  ]],
  ["somebody is invited", [], [invitationEvent("created", bob)]],
  ["an invitation is revoked", [invitationEvent("created", bob)], [
    invitationEvent("revoked", { ...bob, updatedAt: minute(20) }),
  ]],
  ["an invitation is accepted", [invitationEvent("created", bob)], [
    invitationAccepted(bob, "user_bob", minute(20)),
  ]],
  ["an invitation leads to a member", [invitationEvent("created", bob)], [
    invitationAccepted(bob, "user_bob", minute(20)),
    membershipEvent("created", clerkMembership(clerkOrganization("org"), "bob", minute(20))),
  ]],
];

for (const [name, before, meanwhile] of STORIES) {
  Deno.test(`what happens while a sync reads its lists stays: ${name}`, () =>
    withTransaction(async (sql) => {
      const organization = await makeOrganization(sql, {
        seats: 9,
        members: 2,
        invitations: 2,
        queued: true,
      });
      await applyAll(sql, organization, before);
      const lists = await clerkStateOf(sql, organization);
      const lease = await claimOrganization(sql, organization);
      await applyAll(sql, organization, meanwhile);
      const rows = await rowsBesides(sql, organization);

      const { drift } = await reconcile(sql, lease, lists);

      assert.deepEqual(drift, []);
      assert.deepEqual(await rowsBesides(sql, organization), rows);
      await assertCounted(sql, organization);
    }));
}

/** Delivers the events as ones of this organization. */
async function applyAll(
  sql: Transaction,
  { clerkOrgId }: Organization,
  events: readonly ClerkEvent[],
): Promise<void> {
  for (const event of events) {
    const renamed = JSON.stringify(event).replaceAll('"org"', JSON.stringify(clerkOrgId));
    await applyClerkEvent(sql, JSON.parse(renamed));
  }
}

async function rowsBesides(sql: Transaction, { clerkOrgId }: Organization) {
  const { members, invitations } = await rowsOf(sql, clerkOrgId) as Record<string, unknown>;
  return { members, invitations };
}

Deno.test("what happens while a sync reads its lists stays: somebody is approved", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 9, members: 2, queued: true });
    const request = await addRequest(sql, organization);
    const lists = await clerkStateOf(sql, organization);
    const lease = await claimOrganization(sql, organization);
    await approveMember(sql, request.id);

    const { drift } = await reconcile(sql, lease, lists);

    assert.deepEqual(drift, []);
    assert.equal((await numbersOf(sql, organization)).members, 3);
  }));

Deno.test("what happens while a sync reads from Stripe stays", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { queued: true });
    await attachCustomer(sql, organization);
    const subscription = stripeSubscription(organization, second(0));
    await report(sql, subscription, { quantity: 5 }, 0);
    const lease = await claimOrganization(sql, organization);
    await report(sql, subscription, { quantity: 8 }, 60);

    const latestInvoice = stripeInvoice(subscription, "paid");
    const { drift, seatsTotal } = await reconcile(sql, lease, null, {
      readAt: second(30),
      subscriptions: [inState(subscription, { quantity: 5, latestInvoice })],
    });

    assert.deepEqual([drift, seatsTotal], [[], 8]);
  }));
