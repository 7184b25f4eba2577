import type { World } from "./world.ts";

/** Creates a user in Clerk; resolves to the id. */
export async function createUser({ clerk }: World, name: string): Promise<string> {
  const emailAddress = [`${name}.${crypto.randomUUID().slice(0, 8)}@example.com`];
  return (await clerk.users.createUser({ emailAddress, skipPasswordRequirement: true })).id;
}

/** Adds a member in Clerk on a way that asks for no limit. */
export async function addMember(
  world: World,
  organizationId: string,
  userId: string,
): Promise<void> {
  await world.clerkControl.request("POST", "/memberships", { organizationId, userId });
}

/** Invites somebody in Clerk on a way that asks for no limit. */
export async function invite(
  world: World,
  organizationId: string,
  emailAddress: string,
): Promise<void> {
  await world.clerkControl.request("POST", "/invitations", { organizationId, emailAddress });
}

/** Revokes one pending invitation in Clerk. */
export async function revokeInvitation(
  { clerk }: World,
  organizationId: string,
  requestingUserId: string,
): Promise<void> {
  const { data: [invitation] } = await clerk.organizations.getOrganizationInvitationList({
    organizationId,
    status: ["pending"],
    limit: 1,
  });
  if (invitation === undefined) throw new Error("There is no invitation to revoke");
  await clerk.organizations.revokeOrganizationInvitation({
    organizationId,
    invitationId: invitation.id,
    requestingUserId,
  });
}

/** Asks to join with the organization's code, for each user; resolves to the requests' ids. */
export async function requestAll(
  world: World,
  clerkId: string,
  users: string[],
): Promise<string[]> {
  const [{ join_code } = { join_code: "" }] = await world.sql<{ join_code: string }[]>`
    select join_code from public.organizations where clerk_org_id = ${clerkId}`;
  return await Promise.all(users.map(async (userId) => {
    const { data, error } = await world.admin.rpc("request_membership", {
      p_join_code: join_code,
      p_clerk_user_id: userId,
      p_email: `${userId}@example.com`,
    });
    if (error !== null) throw new Error(error.message);
    return data;
  }));
}

/** Approves over HTTP; `200 active`, or the status and code of the refusal. */
export async function approve({ admin }: World, memberId: string, actor: string): Promise<string> {
  const { data, error, status } = await admin.rpc("approve_member", {
    p_member_id: memberId,
    p_actor: actor,
  });
  return `${status} ${error === null ? data.status : error.message}`;
}
