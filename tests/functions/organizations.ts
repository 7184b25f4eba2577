import assert from "node:assert/strict";
import type { Clients } from "./clients.ts";

/** An organization that a test has to itself. */
export interface Organization {
  /** Ours, a UUID. */
  readonly id: string;
  /** Clerk's. */
  readonly clerkId: string;
  /** Its owner, Clerk's user id. */
  readonly adminId: string;
  /** A session token of its owner. */
  readonly token: string;
}

/** Longer than any test, and than the minute that Clerk gives. */
const TOKEN_SECONDS = 600;

/** Creates an organization in Clerk and waits until its webhooks have made the row. */
export async function createOrganization(
  clients: Clients,
  name = "Acme",
): Promise<Organization> {
  const { organization, adminId } = await clients.clerk.createOrganization({ name });
  await settled(clients, organization.id);
  const [row] = await clients.sql<{ id: string }[]>`
    select id from public.organizations where clerk_org_id = ${organization.id}`;
  assert(row !== undefined, "clerk-webhook has made no row of the organization");
  const token = await tokenOf(clients, adminId, organization.id);
  return { id: row.id, clerkId: organization.id, adminId, token };
}

/** A session token of a user at work in an organization. */
export function tokenOf(
  { clerk, env }: Clients,
  userId: string,
  organizationId: string,
): Promise<string> {
  const expiresInSeconds = TOKEN_SECONDS;
  return clerk.sessionToken({ userId, organizationId, azp: env.SITE_URL, expiresInSeconds });
}

/** Tokens of an organization's owner that are worth nothing: forged, over, and for another app. */
export async function worthlessTokens(
  { clerk, env }: Clients,
  { token, adminId: userId, clerkId: organizationId }: Organization,
): Promise<readonly string[]> {
  const [header, claims, signature = ""] = token.split(".");
  const own = { userId, organizationId };
  return [
    [header, claims, signature.split("").reverse().join("")].join("."),
    await clerk.sessionToken({ ...own, azp: env.SITE_URL, expiresInSeconds: -60 }),
    await clerk.sessionToken({ ...own, azp: "https://evil.example" }),
  ];
}

/** Adds new users as members in Clerk and waits for the webhooks; resolves to the users' ids. */
export async function addMembers(
  clients: Clients,
  { clerkId }: Organization,
  count: number,
): Promise<string[]> {
  const memberships = await Promise.all(
    Array.from({ length: count }, () => clients.clerk.addMember(clerkId)),
  );
  await settled(clients, clerkId);
  return memberships.map(({ publicUserData }) => publicUserData?.userId ?? "");
}

/** Invites new addresses in Clerk and waits for the webhooks; resolves to the invitations' ids. */
export async function addInvitations(
  clients: Clients,
  { clerkId }: Organization,
  count: number,
): Promise<string[]> {
  const ids = await Promise.all(
    Array.from({ length: count }, () => clients.clerk.invite(clerkId)),
  );
  await settled(clients, clerkId);
  return ids;
}

/** Waits until every webhook that names `contains` has been delivered. */
export async function settled(
  { clerk, stripeControl }: Clients,
  contains: string,
): Promise<void> {
  await Promise.all([clerk.control.settle({ contains }), stripeControl.settle({ contains })]);
}

/**
 * Runs while Clerk's webhooks about an organization are lost. What Clerk has not yet sent when it
 * ends is lost as well.
 */
export async function withoutClerkWebhooks<Result>(
  { clerk }: Clients,
  { clerkId }: Pick<Organization, "clerkId">,
  run: () => Promise<Result>,
): Promise<Result> {
  const policy = await clerk.control.addPolicy({ contains: clerkId, kind: "drop", times: 0 });
  try {
    return await run();
  } finally {
    await clerk.control.removePolicy(policy);
  }
}

/** Has a member leave in Clerk, without its webhooks. */
export async function leaveUnheard(
  clients: Clients,
  organization: Pick<Organization, "clerkId">,
  userId: string,
): Promise<void> {
  const { organizations } = clients.clerk.client;
  await withoutClerkWebhooks(
    clients,
    organization,
    () =>
      organizations.deleteOrganizationMembership({ organizationId: organization.clerkId, userId }),
  );
}

/** Revokes an invitation in Clerk, without its webhooks. */
export async function revokeUnheard(
  clients: Clients,
  organization: Pick<Organization, "clerkId" | "adminId">,
  invitationId: string,
): Promise<void> {
  const { organizations } = clients.clerk.client;
  await withoutClerkWebhooks(
    clients,
    organization,
    () =>
      organizations.revokeOrganizationInvitation({
        organizationId: organization.clerkId,
        invitationId,
        requestingUserId: organization.adminId,
      }),
  );
}
