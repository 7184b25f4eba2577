import { askToInvite, callMembers } from "../functions/manage-members/team.ts";
import { clerkFact } from "./clerk_deeds.ts";
import {
  invited,
  joined,
  left,
  mayAdd,
  placed,
  type Role,
  type State,
  uninvited,
} from "./model.ts";
import { type Deed, factOutcome, type Outcome, said, wholeOutcome } from "./step.ts";
import { pick, subsets } from "./picking.ts";
import { ROLES, type World } from "./world.ts";

/** An admin invites people, all of them or nobody; some of them to a seat. */
export function invite(members: number, auditors = 0): Deed {
  return {
    name: `invite ${members}${auditors === 0 ? "" : ` and ${auditors} auditors`}`,
    makesSense: () => true,
    prepare: (world, { state: before }) => {
      const people = Array.from({ length: members + auditors }, () => world.newAddress());
      const wishes = people.map((email, n) => ({
        email,
        role: ROLES[n < members ? "member" : "auditor"],
      }));
      const state = people.slice(members).reduce((at, one) => placed(at, one, "auditor"), before);
      return Promise.resolve(async () => {
        const answer = await said(askToInvite(world.clients, world.organization, wishes));
        const outcomes = answer.body?.invitations?.map(({ outcome }) => outcome) ?? [];
        const sure = people.filter((_, n) => outcomes[n] === "invited");
        const unsure = people.filter((_, n) =>
          answer.said === "unknown" || outcomes[n] === "unknown"
        );
        return {
          asDesigned: unsure.length === 0 &&
            sure.length === (mayAdd(state, members) ? people.length : 0),
          possible: subsets(unsure).map((also) => invited(state, [...sure, ...also])),
          answer: answer.text,
        };
      });
    },
  };
}

/** Somebody accepts an invitation. */
export function accept(n: number): Deed {
  return clerkFact(
    `invitation ${n} is accepted`,
    ({ invited }) => invited.length > 0,
    ({ invited }) => pick(invited, n),
    async (world, person) => {
      const id = await invitationOf(world, person);
      world.users.set(person, await world.clients.clerk.acceptInvitation(id));
    },
    joined,
  );
}

/** An invitation's time is over. Clerk sends no event: both sides know the time. */
export function expire(n: number): Deed {
  const deed = clerkFact(
    `invitation ${n} expires`,
    ({ invited }) => invited.length > 0,
    ({ invited }) => pick(invited, n),
    async (world, person) => {
      const id = await invitationOf(world, person);
      await world.clients.clerk.expireInvitation(id);
      await world.clients.sql`
        update public.organization_invitations set expires_at = now()
        where clerk_invitation_id = ${id}`;
    },
    uninvited,
  );
  return { ...deed, isSilent: true };
}

/** An admin revokes an invitation, or sends it again; in Clerk's own screens there is no resend. */
export function endInvitation(n: number, how: "revoke" | "resend" | "in Clerk"): Deed {
  const name = `invitation ${n}: ${how}`;
  const makesSense = ({ invited }: State) => invited.length > 0;
  if (how === "in Clerk") {
    return clerkFact(name, makesSense, ({ invited }) => pick(invited, n), async (world, person) => {
      const { clerkId: organizationId, adminId: requestingUserId } = world.organization;
      const invitationId = await invitationOf(world, person);
      await world.clients.clerk.client.organizations.revokeOrganizationInvitation({
        organizationId,
        invitationId,
        requestingUserId,
      });
    }, uninvited);
  }
  return {
    name,
    makesSense,
    prepare: async (world, { state }) => {
      const { clients, organization } = world;
      const person = pick(state.invited, n);
      const [row] = await clients.sql<{ id: string }[]>`
        select id from public.organization_invitations
        where organization_id = ${organization.id} and email = ${person} and status = 'pending'`;
      const route = `/invitations/${row?.id ?? crypto.randomUUID()}`;
      const gone = uninvited(state, person);
      return async () => {
        if (how === "revoke") {
          const answer = await said(callMembers(clients, organization, "DELETE", route));
          return wholeOutcome(state, answer, true, gone);
        }
        const again = await said(callMembers(clients, organization, "POST", `${route}/resend`));
        const outcome = wholeOutcome(state, again, mayAdd(state, 0), state);
        // The old one is revoked first; where the new one fails after that, nobody is invited.
        return again.said === "done"
          ? outcome
          : { ...outcome, possible: [...outcome.possible, gone] };
      };
    },
  };
}

/** Somebody other than the owner leaves by himself, or an admin removes him. */
export function leave(n: number, how: "leaves" | "is removed"): Deed {
  const name = `member ${n} ${how}`;
  const makesSense = ({ members }: State) => members.length > 1;
  const who = ({ members }: State) => pick(members.slice(1), n);
  if (how === "leaves") {
    return clerkFact(name, makesSense, who, async (world, person) => {
      await world.clients.clerk.client.organizations.deleteOrganizationMembership({
        organizationId: world.organization.clerkId,
        userId: world.users.get(person) ?? "",
      });
    }, left);
  }
  return {
    name,
    makesSense,
    prepare: (world, { state }) =>
      Promise.resolve(async (): Promise<Outcome> => {
        const person = who(state);
        const route = `/members/${world.users.get(person)}`;
        const answer = await said(callMembers(world.clients, world.organization, "DELETE", route));
        return wholeOutcome(state, answer, true, left(state, person));
      }),
  };
}

/** Somebody other than the owner becomes an auditor, or an auditor a member. */
export function changeRole(n: number, role: Role, how: "by an admin" | "in Clerk"): Deed {
  const others = ({ members, seatless }: State) =>
    members.slice(1).filter((one) => seatless.includes(one) === (role === "member"));
  const prepare: Deed["prepare"] = (world, { state }) => {
    const { clients, organization, users } = world;
    const person = pick(others(state), n);
    const userId = users.get(person) ?? "";
    const after = placed(state, person, role);
    return Promise.resolve(async () => {
      if (how === "in Clerk") {
        await clients.clerk.client.organizations.updateOrganizationMembership({
          organizationId: organization.clerkId,
          userId,
          role: ROLES[role],
        });
        return factOutcome(after);
      }
      const call = { body: { role: ROLES[role] } };
      const route = `/members/${userId}`;
      const answer = await said(callMembers(clients, organization, "PATCH", route, call));
      return wholeOutcome(state, answer, role === "auditor" || mayAdd(state, 1), after);
    });
  };
  return {
    name: `${role === "auditor" ? "member" : "auditor"} ${n} becomes ${role} ${how}`,
    makesSense: (state) => others(state).length > 0,
    isFact: how === "in Clerk",
    prepare,
  };
}

/** Clerk's id of somebody's pending invitation. */
async function invitationOf(
  { clients: { clerk }, organization: { clerkId: organizationId } }: World,
  person: string,
): Promise<string> {
  const { data } = await clerk.client.organizations.getOrganizationInvitationList({
    organizationId,
    status: ["pending"],
    limit: 500,
  });
  return data.find(({ emailAddress }) => emailAddress === person)?.id ?? "";
}
