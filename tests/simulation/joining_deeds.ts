import { callFunction, functionsOf } from "../functions/api.ts";
import { codeOf } from "../functions/manage-members/joining.ts";
import { askToInvite, callMembers } from "../functions/manage-members/team.ts";
import { available, given, invited, joined, mayAdd, requested, type State } from "./model.ts";
import { pick, subsets } from "./picking.ts";
import { type Deed, factOutcome, type Said, said, wholeOutcome } from "./step.ts";
import type { World } from "./world.ts";

/** How many ask for seats at the same time at the most. */
const CROWD = 8;

/** When a rush comes, and thus which rule has to hold it back. */
const OCCASIONS = {
  "at any time": (state: State) => available(state) > 0,
  "while a payment is overdue": (state: State) =>
    available(state) >= 0 && state.subscription?.overdue != null,
  "after a decrease": (state: State) =>
    available(state) >= 0 && (given(state)?.seats ?? 0) > (state.subscription?.next.seats ?? 0),
} as const;

/** More people than there are seats ask for one at the same time: to be invited, or approved. */
export function rush(
  tooMany: number,
  invitations: number,
  when: keyof typeof OCCASIONS = "at any time",
): Deed {
  return {
    name: `a rush of ${tooMany} too many with at most ${invitations} by invitation`,
    makesSense: (state) => !state.deleted && OCCASIONS[when](state),
    prepare: async (world, model) => {
      const crowd = Math.min(CROWD, available(model.state) + tooMany);
      const people: string[] = [];
      for (let n = invitations; n < crowd; n++) people.push(await askToJoin(world, model));
      const { state } = model;
      const ids = await Promise.all(people.map((one) => requestOf(world, one)));
      const addresses = Array.from({ length: crowd - people.length }, () => world.newAddress());
      return async () => {
        const answers = await Promise.all([
          ...ids.map((id) => said(approveCall(world, id))),
          ...addresses.map((one) => said(askToInvite(world.clients, world.organization, [one]))),
        ]);
        const all = [...people, ...addresses];
        const isSaid = (wanted: Said) => all.filter((_, n) => saidOf(answers[n]) === wanted);
        const granted = isSaid("done");
        const room = mayAdd(state, 0) ? Math.min(all.length, available(state)) : 0;
        const take = (also: readonly string[]) =>
          [...granted, ...also].reduce(
            (at, one) => people.includes(one) ? joined(at, one) : invited(at, [one]),
            state,
          );
        return {
          asDesigned: granted.length === room && isSaid("unknown").length === 0,
          possible: subsets(isSaid("unknown")).map(take),
          answer: `${granted.length} granted, room for ${room}`,
        };
      };
    },
  };
}

/** How one of a rush was answered: an invitation tells it in its body. */
function saidOf(answer: { said: Said; body: unknown } | undefined): Said {
  if (answer === undefined || answer.said !== "done") return answer?.said ?? "unknown";
  const { invitations } = answer.body as { invitations?: readonly { outcome: string }[] };
  if (invitations === undefined) return "done";
  const [one] = invitations;
  if (one?.outcome === "unknown") return "unknown";
  return one?.outcome === "invited" ? "done" : "refused";
}

/** Somebody new asks to join with the organization's code. */
export function ask(): Deed {
  return {
    name: "ask to join",
    makesSense: ({ requested, deleted }) => !deleted && requested.length < 4,
    prepare: (world, model) =>
      Promise.resolve(async () => {
        await askToJoin(world, model);
        return factOutcome(model.state);
      }),
    isFact: true,
  };
}

/** An admin decides about a request. */
export function decide(n: number, approved: boolean): Deed {
  return {
    name: `request ${n} is ${approved ? "approved" : "rejected"}`,
    makesSense: ({ requested }) => requested.length > 0,
    prepare: async (world, { state }) => {
      const { clients, organization } = world;
      const person = pick(state.requested, n);
      const id = await requestOf(world, person);
      return async () => {
        if (approved) {
          const answer = await said(approveCall(world, id));
          return wholeOutcome(state, answer, mayAdd(state, 1), joined(state, person));
        }
        const route = `/join-requests/${id}/reject`;
        const answer = await said(callMembers(clients, organization, "POST", route));
        return wholeOutcome(state, answer, true, requested(state, person, false));
      };
    },
  };
}

function approveCall({ clients, organization }: World, id: string) {
  return callMembers(clients, organization, "POST", `/join-requests/${id}/approve`);
}

/** Lets somebody new ask to join, of which the model takes note. */
async function askToJoin(world: World, model: { state: State }): Promise<string> {
  const { clients, organization, users } = world;
  const person = world.newAddress();
  const { id: userId } = await clients.clerk.createUser({ email: person });
  users.set(person, userId);
  const token = await clients.clerk.sessionToken({ userId, azp: clients.env.SITE_URL });
  await callFunction(functionsOf(clients), "manage-members/join-requests", {
    token,
    body: { joinCode: await codeOf(clients, organization) },
  });
  const isThere = await requestOf(world, person, null) !== null;
  if (isThere) model.state = requested(model.state, person, true);
  return person;
}

async function requestOf(world: World, person: string): Promise<string>;
async function requestOf(world: World, person: string, none: null): Promise<string | null>;
async function requestOf(
  { clients: { sql }, organization }: World,
  person: string,
  none: string | null = crypto.randomUUID(),
): Promise<string | null> {
  const [row] = await sql<{ id: string }[]>`
    select id from public.organization_members
    where organization_id = ${organization.id} and email = ${person} and status = 'requested'`;
  return row?.id ?? none;
}
