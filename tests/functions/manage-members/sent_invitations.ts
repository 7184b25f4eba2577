import type { FaultInput } from "../../../local/emulation/faults.ts";
import type { Answer } from "../api.ts";
import type { Clients } from "../clients.ts";
import { type Organization, settled } from "../organizations.ts";
import { only } from "../rows.ts";
import { callMembers, createTeam, type Invited, inviteOne, type Seats } from "./team.ts";

/** A row of invitations. */
export interface InvitationRow {
  readonly id: string;
  readonly clerkId: string;
  readonly email: string;
  readonly status: string;
  readonly holdsSeat: boolean;
}

/** The invitations of a team, oldest first. */
export async function rowsOf(
  { sql }: Clients,
  { id }: Organization,
): Promise<readonly InvitationRow[]> {
  return await sql<InvitationRow[]>`
    select id, clerk_invitation_id as "clerkId", email, status, holds_seat as "holdsSeat"
    from public.organization_invitations where organization_id = ${id} order by created_at`;
}

/** A team of two that is full: its owner, and one who is invited. */
export async function createInvited(
  clients: Clients,
  seats = 2,
): Promise<{ team: Organization; row: InvitationRow }> {
  const team = await createTeam(clients, seats);
  await inviteOne(clients, team);
  await settled(clients, team.clerkId);
  return { team, row: only(await rowsOf(clients, team)) };
}

/** Revokes an invitation of ours, whatever comes of it. */
export function revoke(
  clients: Clients,
  team: Organization,
  id: string,
): Promise<Answer<{ status: string; seats: Seats }>> {
  return callMembers(clients, team, "DELETE", `/invitations/${id}`);
}

/** Sends an invitation of ours again, whatever comes of it. */
export function resend(
  clients: Clients,
  team: Organization,
  id: string,
): Promise<Answer<{ invitation: Invited; seats: Seats }>> {
  return callMembers(clients, team, "POST", `/invitations/${id}/resend`);
}

/** What Clerk says of an invitation. */
export async function statusInClerk(
  { clerk }: Clients,
  { clerkId }: Organization,
  id: string,
): Promise<string | undefined> {
  const { status } = await clerk.client.organizations.getOrganizationInvitation({
    organizationId: clerkId,
    invitationId: id,
  });
  return status;
}

/** The requests that revoke an invitation in Clerk. */
export function revoking({ clerkId }: Organization): FaultInput["match"] {
  return { method: "POST", path: `^/v1/organizations/${clerkId}/invitations/[^/]+/revoke$` };
}

/** The requests that make one invitation in Clerk. */
export function creating({ clerkId }: Organization): FaultInput["match"] {
  return { method: "POST", path: `^/v1/organizations/${clerkId}/invitations$` };
}
