import assert from "node:assert/strict";
import type { Transaction } from "./connection.ts";
import { makeOrganization, type Organization } from "./organizations.ts";
import { randomId } from "./random_id.ts";
import { assertCounted } from "./recount.ts";
import {
  type ClerkState,
  type ListedInvitation,
  type ListedMembership,
  sync,
} from "./sync_leases.ts";

/** An hour ago, as Clerk writes times. */
export const EARLIER = new Date(Date.now() - 3_600_000).toISOString();

/** The end of an invitation, in a month. */
export const LATER = new Date(Date.now() + 29 * 24 * 3_600_000).toISOString();

/** A membership of an hour ago, as Clerk lists it. */
export function listedMembership(name: string): ListedMembership {
  return {
    id: randomId("orgmem"),
    userId: `user_${name}`,
    email: `${name}@Example.com`,
    role: "org:member",
    createdAt: EARLIER,
    updatedAt: EARLIER,
  };
}

/** An invitation of an hour ago, as Clerk lists it. */
export function listedInvitation(name: string): ListedInvitation {
  return {
    id: randomId("orginv"),
    email: `${name}@Example.com`,
    role: "org:member",
    createdAt: EARLIER,
    updatedAt: EARLIER,
    expiresAt: LATER,
  };
}

/** Fails unless a first sync finds exactly this, and a second one nothing. */
export async function assertRepaired(
  sql: Transaction,
  organization: Organization,
  clerk: ClerkState,
  drift: readonly unknown[],
): Promise<void> {
  assert.deepEqual(await sync(sql, organization, clerk), drift);
  assert.deepEqual(await sync(sql, organization, clerk), []);
  await assertCounted(sql, organization);
}

/** Makes an organization of 9 seats in the queue of the sweep. */
export function queued(sql: Transaction, members = 2, invitations = 2): Promise<Organization> {
  return makeOrganization(sql, { seats: 9, members, invitations, queued: true });
}
