import assert from "node:assert/strict";
import { readClerkLists } from "../../../local/demo/clerk_lists.ts";
import { type Answer, type Caller, callsBelow, functionsOf } from "../api.ts";
import type { Clients } from "../clients.ts";
import { createOrganization, type Organization, settled } from "../organizations.ts";
import { numbersOf } from "../rows.ts";

/** Creates an organization with seats, one of which its owner takes. */
export async function createTeam(clients: Clients, seats: number): Promise<Organization> {
  const organization = await createOrganization(clients);
  await grantSeats(clients, organization, seats);
  return organization;
}

/** Gives an organization seats, without Stripe. */
export async function grantSeats(
  { admin }: Clients,
  { id }: Pick<Organization, "id">,
  seats: number,
): Promise<void> {
  await admin.rpc("grant_seats", {
    p_organization_id: id,
    p_seats: seats,
    p_reason: "For a test",
    p_actor: "test",
  }).throwOnError();
}

/** Calls a route of manage-members below an organization. */
export const callMembers = callsBelow("manage-members");

/** How many seats there are. */
export interface Seats {
  readonly seatLimit: number;
  readonly seatsUsed: number;
  readonly available: number;
}

/** What became of one who was invited. */
export interface Invited {
  readonly email: string;
  readonly role: string;
  readonly outcome: string;
  readonly invitationId: string | null;
  readonly reason?: { readonly code: string; readonly message: string };
  readonly retryAfter?: number;
}

/** What an invitation of many answers. */
export interface Invitations {
  readonly invitations: readonly Invited[];
  readonly seats: Seats;
}

/** Somebody to be invited; right or wrong. */
export type Wish = string | Readonly<Record<string, unknown>>;

/** Asks to invite people, whatever comes of it. */
export function askToInvite(
  clients: Clients,
  caller: Caller,
  people: readonly Wish[],
  query = "",
  base = functionsOf(clients),
): Promise<Answer<Invitations>> {
  const invitations = people.map((one) => typeof one === "string" ? { email: one } : one);
  const call = { body: { invitations } };
  return callMembers(clients, caller, "POST", `/invitations${query}`, call, base);
}

/** Invites people, and asserts that it was answered 200. */
export async function invite(
  clients: Clients,
  caller: Caller,
  people: readonly Wish[],
  query = "",
  base = functionsOf(clients),
): Promise<Invitations> {
  const { status, body } = await askToInvite(clients, caller, people, query, base);
  assert.equal(status, 200, JSON.stringify(body));
  return body;
}

/** Invites one person, and asserts that it came to it; resolves to our id. */
export async function inviteOne(
  clients: Clients,
  caller: Caller,
  email = newAddress(),
): Promise<string> {
  const { invitations: [one] } = await invite(clients, caller, [email]);
  assert.equal(one?.outcome, "invited", JSON.stringify(one));
  assert(one.invitationId !== null);
  return one.invitationId;
}

/** An address that nobody has. */
export function newAddress(): string {
  return `${crypto.randomUUID()}@example.com`;
}

/** That many addresses that nobody has. */
export function newAddresses(count: number): string[] {
  return Array.from({ length: count }, newAddress);
}

/** Who holds a seat, as Postgres and as Clerk have it. */
export interface Seated {
  readonly members: readonly string[];
  readonly invited: readonly string[];
}

/** Who is in an organization and who is invited, as Clerk has it: user ids and addresses. */
export async function inClerk(
  { clerk }: Clients,
  { clerkId }: Pick<Organization, "clerkId">,
): Promise<Seated> {
  const { members, invitations } = await readClerkLists(clerk.client, clerkId);
  return {
    members: members.map(({ publicUserData }) => publicUserData?.userId ?? "").sort(),
    invited: invitations.map(({ emailAddress }) => emailAddress.toLowerCase()).sort(),
  };
}

/** Who is in an organization and who is invited, as Postgres has it. */
export async function inPostgres(
  { sql }: Clients,
  { id }: Pick<Organization, "id">,
): Promise<Seated> {
  const members = await sql<{ clerk_user_id: string }[]>`
    select clerk_user_id from public.organization_members
    where organization_id = ${id} and status = 'active'`;
  const invitations = await sql<{ email: string }[]>`
    select email from public.organization_invitations
    where organization_id = ${id} and status in ('reserved', 'pending', 'accepted')`;
  return {
    members: members.map((row) => row.clerk_user_id).sort(),
    invited: invitations.map(({ email }) => email).sort(),
  };
}

/**
 * Asserts that Clerk and Postgres agree on who is in and who is invited, that each of them takes one
 * seat, that there are seats enough, and that nothing is held any more. Returns who they are.
 */
export async function assertAgreement(
  clients: Clients,
  organization: Organization,
): Promise<Seated> {
  await settled(clients, organization.clerkId);
  const seated = await inPostgres(clients, organization);
  assert.deepEqual(await inClerk(clients, organization), seated);
  const { members, invitations, overCapacity } = await numbersOf(clients.sql, organization);
  assert.deepEqual(
    { members, invitations, overCapacity },
    { members: seated.members.length, invitations: seated.invited.length, overCapacity: false },
  );
  const [held] = await clients.sql`
    select id from public.organization_invitations
    where organization_id = ${organization.id} and held_until is not null
    union all
    select id from public.organization_members
    where organization_id = ${organization.id} and held_until is not null`;
  assert.equal(held, undefined, "Something is still held");
  return seated;
}

/** Lets the time run out for which seats are held while Clerk is asked. */
export async function lapseHolds(
  { sql }: Clients,
  { id }: Pick<Organization, "id">,
): Promise<void> {
  for (const table of ["organization_invitations", "organization_members"]) {
    await sql`
      update public.${sql(table)} set held_until = clock_timestamp() - interval '1 second'
      where organization_id = ${id} and held_until is not null`;
  }
}
