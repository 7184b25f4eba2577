import assert from "node:assert/strict";
import { type Answer, callFunction, functionsOf } from "../api.ts";
import type { Clients } from "../clients.ts";
import type { Organization } from "../organizations.ts";
import { only } from "../rows.ts";

/** Somebody who is signed in, and asks to join. */
export interface Applicant {
  readonly userId: string;
  readonly email: string;
  readonly token: string;
}

/** Creates somebody who works in no organization. */
export async function createApplicant({ clerk, env }: Clients): Promise<Applicant> {
  const { id: userId, emailAddresses } = await clerk.createUser();
  const token = await clerk.sessionToken({
    userId,
    azp: env.SITE_URL,
    expiresInSeconds: 600,
  });
  return { userId, email: emailAddresses[0]?.emailAddress ?? "", token };
}

/** Asks to join with a code, whatever comes of it. */
export function tryCode(
  clients: Clients,
  { token }: Pick<Applicant, "token">,
  joinCode: unknown,
  base = functionsOf(clients),
): Promise<Answer> {
  return callFunction(base, "manage-members/join-requests", { token, body: { joinCode } });
}

/** The code of an organization. */
export async function codeOf({ sql }: Clients, { id }: Pick<Organization, "id">): Promise<string> {
  return only(
    await sql<{ code: string }[]>`
      select join_code as code from public.organizations where id = ${id}`,
  ).code;
}

/** An open request. */
export interface Request extends Applicant {
  /** Of the request. */
  readonly id: string;
}

/** Lets somebody ask to join, a new user unless one is named. */
export async function requestToJoin(
  clients: Clients,
  organization: Pick<Organization, "id">,
  applicant?: Applicant,
): Promise<Request> {
  const who = applicant ?? await createApplicant(clients);
  const { status, body } = await tryCode(clients, who, await codeOf(clients, organization));
  assert.equal(status, 202, JSON.stringify(body));
  const { id } = only(
    await clients.sql<{ id: string }[]>`
      select id from public.organization_members
      where organization_id = ${organization.id} and clerk_user_id = ${who.userId}
        and status = 'requested'`,
  );
  return { ...who, id };
}
