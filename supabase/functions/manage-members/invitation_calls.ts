import type { ClerkClient, OrganizationInvitation } from "@clerk/backend";
import type { AdminSession } from "../_shared/session.ts";
import { askClerk, type Reason, type Reply } from "./clerk_reply.ts";

/** A seat that is held for somebody whom Clerk is to invite. */
export interface Reserved {
  /** Ours. */
  readonly invitationId: string;
  /** In lower case. */
  readonly email: string;
  readonly role: string;
}

/** What became of somebody who was to be invited. */
export interface Outcome {
  /** `unknown`: the seat stays held, and the next sync settles it by what Clerk says. */
  readonly outcome:
    | "invited"
    | "already_member"
    | "already_invited"
    | "no_seat"
    | "refused"
    | "unknown";
  readonly reason?: Reason;
  /** Seconds after which it can be tried again. */
  readonly retryAfter?: number;
}

/** An outcome that the database has to be told. */
export interface Settlement {
  readonly person: Reserved;
  readonly outcome: Outcome;
  /** What Clerk has; null when it has nothing, and the seat is free again. */
  readonly invitation: OrganizationInvitation | null;
}

/** A call to Clerk that is to be made: for up to ten people, or for one alone. */
export interface Call {
  readonly people: readonly Reserved[];
  /** How often it has been made. */
  readonly tries: number;
  /** Nobody knows what became of an earlier one: it may still be worked off. */
  readonly isDoubtful?: boolean;
  /** How often Clerk has been told the limit since it refused it for its quota. */
  readonly limitPushes?: number;
}

/** Clerk's two ways to invite, each with a limit of its own. */
export type Way = "bulk" | "single";

/** Clerk's largest bulk (Clerk: create bulk organization invitations). */
const BULK_SIZE = 10;

/**
 * Fewer people are invited one by one: Clerk takes five times as many single invitations an hour
 * (250) as bulks (50) (Clerk: system limits).
 */
const BULK_WORTH = 5;

/** The calls that invite people. */
export function callsFor(people: readonly Reserved[]): Call[] {
  const calls: Call[] = [];
  for (let start = 0; start < people.length; start += BULK_SIZE) {
    const some = people.slice(start, start + BULK_SIZE);
    const groups = some.length < BULK_WORTH ? some.map((person) => [person]) : [some];
    calls.push(...groups.map((group) => ({ people: group, tries: 0 })));
  }
  return calls;
}

/** Which way a call takes. */
export function wayOf({ people }: Call): Way {
  return people.length > 1 ? "bulk" : "single";
}

/** Makes a call, in the name of the admin. */
export async function invite(
  { organizations }: ClerkClient,
  { clerkOrgId: organizationId, userId: inviterUserId }: AdminSession,
  { people }: Call,
): Promise<Reply<readonly OrganizationInvitation[]>> {
  const invitations = people.map(({ email: emailAddress, role }) => ({
    emailAddress,
    role,
    inviterUserId,
  }));
  const [first, ...others] = invitations;
  if (first === undefined) return { kind: "done", answer: [] };
  if (others.length > 0) {
    return await askClerk(
      organizations.createOrganizationInvitationBulk(organizationId, invitations)
        .then(({ data }) => data),
    );
  }
  return await askClerk(
    organizations.createOrganizationInvitation({ organizationId, ...first })
      .then((invitation) => [invitation]),
  );
}

/** The seats of a call's people are given back, since Clerk surely did not invite them. */
export function givenBack({ people }: Call, reason: Reason, retryAfter?: number): Settlement[] {
  return people.map((person) => ({
    person,
    outcome: {
      outcome: "refused",
      reason,
      ...(retryAfter === undefined ? {} : { retryAfter }),
    },
    invitation: null,
  }));
}

/** The calls for those people alone whose seats are still held. */
export function stillHeld(calls: readonly Call[], held: ReadonlySet<string>): Call[] {
  return calls
    .map((call) => ({
      ...call,
      people: call.people.filter(({ invitationId }) => held.has(invitationId)),
    }))
    .filter(({ people }) => people.length > 0);
}
