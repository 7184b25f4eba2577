import { deleted, invited, joined, placed, type Role, type State } from "./model.ts";
import { type Deed, factOutcome } from "./step.ts";
import { ROLES, type World } from "./world.ts";

/** A fact at Clerk's, about somebody who is there or somebody new, and what follows from it. */
export function clerkFact(
  name: string,
  makesSense: (state: State) => boolean,
  who: (state: State) => string,
  happen: (world: World, person: string, newcomer: string) => Promise<void>,
  follow: (state: State, person: string, newcomer: string) => State,
): Deed {
  return {
    name,
    makesSense,
    isFact: true,
    prepare: (world, { state }) =>
      Promise.resolve(async () => {
        const [person, newcomer] = [who(state), world.newAddress()];
        await happen(world, person, newcomer);
        return factOutcome(follow(state, person, newcomer));
      }),
  };
}

/** Somebody is added, or invited, in Clerk's own screens or past them, whatever the limit. */
export function addInClerk(how: "member" | "invitation", role: Role = "member"): Deed {
  const takesSeat = role === "member" ? "" : ` as ${role}`;
  return clerkFact(
    `a ${how} in Clerk's screens${takesSeat}`,
    ({ deleted }) => !deleted,
    () => "",
    async (world, _, person) => {
      const { clients: { clerk }, organization: { clerkId } } = world;
      if (how === "invitation") return void await clerk.invite(clerkId, person, ROLES[role]);
      const { id: userId } = await clerk.createUser({ email: person });
      world.users.set(person, userId);
      await clerk.addMember(clerkId, { userId, role: ROLES[role] });
    },
    (state, _, person) => {
      const at = placed(state, person, role);
      return how === "member" ? joined(at, person) : invited(at, [person]);
    },
  );
}

/** Somebody is added in Clerk's screens and taken out again, or invited and revoked. */
export function visit(as: "member" | "invitation"): Deed {
  return clerkFact(
    as === "member" ? "a member comes and goes" : "an invitation comes and goes",
    ({ deleted }) => !deleted,
    () => "",
    async (world, _, person) => {
      const { clients: { clerk }, organization: { clerkId: organizationId, adminId } } = world;
      const { organizations } = clerk.client;
      if (as === "invitation") {
        const invitationId = await clerk.invite(organizationId, person);
        const revocation = { organizationId, invitationId, requestingUserId: adminId };
        return void await organizations.revokeOrganizationInvitation(revocation);
      }
      const { id: userId } = await clerk.createUser({ email: person });
      await clerk.addMember(organizationId, { userId });
      await organizations.deleteOrganizationMembership({ organizationId, userId });
    },
    (state) => state,
  );
}

/** The organization is deleted in Clerk. */
export function remove(): Deed {
  return clerkFact(
    "the organization is deleted",
    ({ deleted }) => !deleted,
    () => "",
    async ({ clients, organization }) => {
      await clients.clerk.client.organizations.deleteOrganization(organization.clerkId);
    },
    deleted,
  );
}
