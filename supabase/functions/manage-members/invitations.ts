import * as z from "zod";
import { answerOf, toJson } from "../_shared/database.ts";
import { ApiError } from "../_shared/errors.ts";
import { RETRY_AFTER } from "./clerk_reply.ts";
import type { Dependencies } from "./handler.ts";
import type { Outcome, Reserved } from "./invitation_calls.ts";
import type { Inviter } from "./invitation_records.ts";
import { InvitationRun } from "./invitation_run.ts";
import { readSeats, type Seats } from "./organization.ts";

/** Somebody to be invited. */
export interface Person {
  readonly email: string;
  /** Clerk's role key, with its `org:` prefix. */
  readonly role: string;
}

/** What became of one of them. */
export interface Invitation extends Person, Outcome {
  /** Ours; null where there was no seat to hold. */
  readonly invitationId: string | null;
}

/** What became of all of them, in the order in which they were given. */
export interface Invitations {
  readonly invitations: readonly Invitation[];
  readonly seats: Seats;
}

const claimSchema = z.object({
  people: z.array(z.object({
    email: z.string(),
    role: z.string(),
    outcome: z.enum(["reserved", "already_member", "already_invited", "no_seat"]),
    invitationId: z.uuid().nullable(),
  })),
});

/**
 * Invites people: holds a seat for each of them, then has Clerk invite them, then records what Clerk
 * did. Whom Clerk refuses gives the seat back.
 *
 * @param isPartial invites as many as there are seats for, instead of all or nobody.
 * @throws {ApiError} what `claim_seats` refuses, `seats_full` (409) above all; `clerk_unavailable`
 * (503) when Clerk did nothing at all: the details have what became of each.
 */
export async function invitePeople(
  dependencies: Dependencies,
  inviter: Inviter,
  people: readonly Person[],
  isPartial: boolean,
): Promise<Invitations> {
  const { database } = dependencies;
  const { organizationId, session } = inviter;
  const claimed = claimSchema.parse(
    await answerOf(database.rpc("claim_seats", {
      p_organization_id: organizationId,
      p_clerk_org_id: session.clerkOrgId,
      p_people: toJson(people),
      p_partial: isPartial,
      p_actor: session.userId,
    })),
  ).people;
  const reserved = claimed.flatMap(({ invitationId, email, role }): Reserved[] =>
    invitationId === null ? [] : [{ invitationId, email, role }]
  );
  const outcomes = await new InvitationRun(dependencies, inviter, reserved).finish();
  const answer = {
    invitations: claimed.map(({ outcome, ...person }): Invitation => ({
      ...person,
      ...(outcome === "reserved"
        ? outcomes.get(person.invitationId ?? "") ?? { outcome: "unknown" }
        : { outcome }),
    })),
    seats: await readSeats(database, organizationId),
  };
  if (reserved.length > 0 && [...outcomes.values()].every(isClerkAway)) {
    throw ApiError.of("clerk_unavailable", "Clerk did not answer. Try again.", {
      details: { ...answer },
      retryAfter: RETRY_AFTER,
    });
  }
  return answer;
}

function isClerkAway({ outcome, reason }: Outcome): boolean {
  return outcome === "unknown" || reason?.code === "clerk_unavailable";
}
