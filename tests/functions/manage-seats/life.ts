import assert from "node:assert/strict";
import { assertRefused } from "../api.ts";
import type { Clients } from "../clients.ts";
import { askToInvite, callMembers } from "../manage-members/team.ts";
import { addMembers, type Organization, settled, tokenOf } from "../organizations.ts";
import { only } from "../rows.ts";
import { syncUntilAgreed } from "../sync-seats/sync.ts";
import { type ClockedSubscriber, createSubscriberAt, type Order } from "./clock.ts";
import { callSeats, summaryOf } from "./seats.ts";

/** How Stripe's webhooks come: as they should; backwards, then all again; or never. */
export const DELIVERIES = ["in order", "backwards and again", "never, but for a sync"] as const;

/** One of these ways. */
export type Delivery = typeof DELIVERIES[number];

/** A subscriber of whose organization somebody is a member, and no admin. */
export interface Team extends ClockedSubscriber {
  readonly memberToken: string;
}

/** Creates an organization of three people that buys 5 seats of plan pro, monthly, unless told. */
export async function createTeamAt(
  clients: Clients,
  at: number,
  order: Partial<Order> = {},
): Promise<Team> {
  const bought = { plan: "pro", billingPeriod: "monthly", seats: 5, ...order };
  const subscriber = await createSubscriberAt(clients, at, bought);
  const [member = ""] = await addMembers(clients, subscriber, 2);
  return { ...subscriber, memberToken: await tokenOf(clients, member, subscriber.clerkId) };
}

/**
 * Lets something happen to a subscription in Stripe, and its webhooks come in some way. Where they
 * never come, asserts that one sync finds it, and a second one nothing.
 */
export async function afterwards(
  clients: Clients,
  team: Team,
  delivery: Delivery,
  happening: () => Promise<unknown>,
): Promise<void> {
  const { stripeControl } = clients;
  const contains = team.customerId;
  if (delivery === "in order") {
    await happening();
    await settled(clients, contains);
    return;
  }
  const isLost = delivery === "never, but for a sync";
  const kind = isLost ? "drop" : "hold";
  const policy = await stripeControl.addPolicy({ contains, kind, times: 0 });
  await happening();
  await stripeControl.removePolicy(policy);
  if (isLost) {
    const found = await syncUntilAgreed(clients, team);
    assert.deepEqual(found.map(({ kind }) => kind), ["subscription"]);
    return;
  }
  await stripeControl.release({ contains, order: "lifo" });
  await settled(clients, contains);
  await stripeControl.replay({ contains, order: "shuffled" });
}

/** How an organization stands, as its members see it. */
export interface Standing {
  readonly status: string;
  readonly plan: string | null;
  readonly purchasedSeats: number;
  readonly renewalSeats: number | null;
  readonly grantedSeats: number;
  readonly membersCount: number;
  readonly overCapacity: boolean;
  readonly availableSeats: number;
  readonly cancelAtPeriodEnd: boolean;
  readonly graceUntil: string | null;
  readonly nextInvoice: { readonly amount: number } | null;
}

/** Asserts that a member sees this, among other things. */
export async function assertSeen(
  clients: Clients,
  { id, memberToken }: Pick<Team, "id" | "memberToken">,
  expected: Partial<Standing>,
): Promise<Standing> {
  const standing = await summaryOf<Standing>(clients, { id, token: memberToken });
  const seen = Object.fromEntries(
    Object.keys(expected).map((name) => [name, standing[name as keyof Standing]]),
  );
  assert.deepEqual(seen, expected);
  return standing;
}

/**
 * Tries to invite somebody, and revokes it again: resolves to "invited" or the code of the refusal.
 * Asserts that `check_organization_capacity` says the same.
 */
export async function tryToInvite(clients: Clients, team: Organization): Promise<string> {
  const capacity = only(
    (await clients.admin.rpc("check_organization_capacity", { p_organization_id: team.id })
      .throwOnError()).data,
  );
  const answer = await askToInvite(clients, team, [`${crypto.randomUUID()}@example.com`]);
  assert.equal(capacity.can_add, answer.status === 200, JSON.stringify(answer.body));
  if (answer.status !== 200) {
    const { code } = answer.body as unknown as { code: string };
    assertRefused(answer, 409, code);
    return code;
  }
  const { outcome, invitationId } = only(answer.body.invitations);
  const revoked = await callMembers(clients, team, "DELETE", `/invitations/${invitationId}`);
  assert.equal(revoked.status, 200, JSON.stringify(revoked.body));
  await settled(clients, team.clerkId);
  return outcome;
}

/** Each change of what is paid for in the account book, oldest first, as its admin reads it. */
export async function bookOf(
  clients: Clients,
  team: Pick<Team, "id" | "token">,
): Promise<{ actor: string; cause: string; status: unknown; seats: unknown; balance: number }[]> {
  const { status, body } = await callSeats<{
    data: {
      kind: string;
      actor: string;
      cause: string;
      after: Record<string, unknown> | null;
      purchasedSeats: number;
    }[];
  }>(clients, team, "GET", "/changes?limit=100");
  assert.equal(status, 200, JSON.stringify(body));
  return body.data.toReversed()
    .filter(({ kind, after }) =>
      kind === "subscription" && after !== null &&
      ("status" in after || "purchased_seats" in after)
    )
    .map(({ actor, cause, after, purchasedSeats }) => ({
      actor,
      cause,
      status: after?.["status"],
      seats: after?.["purchased_seats"],
      balance: purchasedSeats,
    }));
}
