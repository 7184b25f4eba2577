import { type Answer, type Call, callFunction, functionsOf } from "../api.ts";
import type { Clients } from "../clients.ts";
import { addInvitations, addMembers, type Organization } from "../organizations.ts";
import { type AddedFault, countRequests } from "../requests.ts";
import { only } from "../rows.ts";
import { requestToJoin } from "./joining.ts";
import { createTeam, newAddress } from "./team.ts";

/** What the routes of an organization work on. */
export interface Subjects {
  readonly team: Organization;
  readonly invitationId: string;
  readonly memberUserId: string;
  readonly requestId: string;
}

/** A route below an organization, with a call that an admin may make. */
export interface Route {
  readonly name: string;
  readonly method: string;
  path(subjects: Subjects): string;
  readonly body?: unknown;
  /** What its body may not be. */
  readonly wrong?: readonly unknown[];
}

/** Every route of an organization; a test holds the list to what the handler has. */
export const ROUTES: readonly Route[] = [
  {
    name: "invitations",
    method: "POST",
    path: () => "/invitations",
    body: { invitations: [{ email: "somebody@example.com" }] },
    wrong: [
      {},
      { invitations: [] },
      { invitations: Array.from({ length: 501 }, () => ({ email: newAddress() })) },
      { invitations: "ada@example.com" },
      { invitations: ["ada@example.com"] },
      { invitations: [{}] },
      { invitations: [{ email: "" }] },
      { invitations: [{ email: "nobody" }] },
      { invitations: [{ email: "a@b@example.com" }] },
      { invitations: [{ email: "ada@example.com\n" + "bcc: eve@example.com" }] },
      { invitations: [{ email: "ada\u0000@example.com" }] },
      { invitations: [{ email: `${"a".repeat(250)}@example.com` }] },
      { invitations: [{ email: "ada@example.com", role: "" }] },
      { invitations: [{ email: "ada@example.com", role: null }] },
      { invitations: [{ email: "ada@example.com", role: "org:\u0007" }] },
      { invitations: [{ email: "ada@example.com", role: "r".repeat(129) }] },
      { invitations: [{ email: "ada@example.com", name: "Ada" }] },
      { invitations: [{ email: "ada@example.com" }], partial: true },
    ],
  },
  {
    name: "invitations/:id/resend",
    method: "POST",
    path: ({ invitationId }) => `/invitations/${invitationId}/resend`,
  },
  {
    name: "invitations/:id",
    method: "DELETE",
    path: ({ invitationId }) => `/invitations/${invitationId}`,
  },
  {
    name: "members/:userId",
    method: "PATCH",
    path: ({ memberUserId }) => `/members/${memberUserId}`,
    body: { role: "org:admin" },
    wrong: [{}, { role: "" }, { role: null }, { role: 1 }, { role: "org:a\nb" }, {
      role: "r".repeat(129),
    }, { role: "org:admin", seats: 1 }],
  },
  {
    name: "members/:userId",
    method: "DELETE",
    path: ({ memberUserId }) => `/members/${memberUserId}`,
  },
  { name: "join-requests", method: "GET", path: () => "/join-requests" },
  {
    name: "join-requests/:id/approve",
    method: "POST",
    path: ({ requestId }) => `/join-requests/${requestId}/approve`,
  },
  {
    name: "join-requests/:id/reject",
    method: "POST",
    path: ({ requestId }) => `/join-requests/${requestId}/reject`,
  },
  { name: "join-code", method: "POST", path: () => "/join-code" },
];

/** Creates an organization with one of each that the routes work on. */
export async function createSubjects(clients: Clients): Promise<Subjects> {
  const team = await createTeam(clients, 9);
  const [memberUserId = ""] = await addMembers(clients, team, 1);
  await addInvitations(clients, team, 1);
  const { id: invitationId } = only(
    await clients.sql<{ id: string }[]>`
      select id from public.organization_invitations where organization_id = ${team.id}`,
  );
  const { id: requestId } = await requestToJoin(clients, team);
  return { team, invitationId, memberUserId, requestId };
}

/** Calls a route at a path. */
export function call(
  clients: Clients,
  { team }: Subjects,
  { method, body }: Route,
  path: string,
  more: Call,
): Promise<Answer> {
  return callFunction(functionsOf(clients), `manage-members/${team.id}${path}`, {
    method,
    ...(body === undefined ? {} : { body }),
    ...more,
  });
}

/** Counts what Clerk is asked about people; it may be told the limit at any time. */
export function countPeopleRequests(
  { clerk }: Clients,
  { clerkId }: Organization,
): Promise<AddedFault> {
  const path = `^/v1/organizations/${clerkId}/(invitations|memberships)`;
  return countRequests(clerk.control, { path });
}
