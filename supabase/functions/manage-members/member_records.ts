import type { OrganizationMembership } from "@clerk/backend";
import { membershipFact } from "../_shared/clerk_facts.ts";
import { answerOf, toJson } from "../_shared/database.ts";
import type { Database } from "../_shared/database.types.ts";
import type { Dependencies } from "./handler.ts";

/** A row of members. */
export type MemberRow = Database["public"]["Tables"]["organization_members"]["Row"];

/** A member, or somebody who asks to become one, as clients get it. */
export interface Member {
  readonly id: string;
  readonly clerkUserId: string;
  readonly email: string | null;
  readonly role: string;
  readonly status: string;
}

/** Records what Clerk says of a membership, and frees the member for other changes. */
export async function recordMembership(
  { database }: Dependencies,
  memberId: string,
  { membership, isRemoved }: { membership: OrganizationMembership; isRemoved: boolean },
  actor: string,
): Promise<Member> {
  return memberOf(
    await answerOf(database.rpc("settle_member", {
      p_member_id: memberId,
      p_result: toJson({ membership: membershipFact(membership), removed: isRemoved }),
      p_actor: actor,
    })),
  );
}

/** Records that Clerk does not know a member any more, with what it last said of the membership. */
export async function recordGone(
  { database }: Dependencies,
  memberId: string,
  actor: string,
): Promise<Member> {
  const row = await answerOf(
    database.from("organization_members").select("*").eq("id", memberId).single(),
  );
  return memberOf(
    await answerOf(database.rpc("settle_member", {
      p_member_id: memberId,
      p_result: toJson({
        membership: {
          id: row.clerk_membership_id,
          userId: row.clerk_user_id,
          email: row.email,
          role: row.role,
          createdAt: row.clerk_created_at,
          updatedAt: row.clerk_updated_at,
        },
        removed: true,
      }),
      p_actor: actor,
    })),
  );
}

/** Records that Clerk did nothing: what was begun here is taken back. */
export async function recordRefusal(
  { database }: Dependencies,
  memberId: string,
  before: { role: string | null; roleBefore: string } | { heldUntil: string | null },
  actor: string,
): Promise<void> {
  await answerOf(database.rpc("settle_member", {
    p_member_id: memberId,
    p_result: toJson({ refused: true, ...before }),
    p_actor: actor,
  }));
}

/** A row as clients get it. */
export function memberOf({ id, clerk_user_id, email, role, status }: MemberRow): Member {
  return { id, clerkUserId: clerk_user_id, email, role, status };
}
