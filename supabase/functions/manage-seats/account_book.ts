import { answerOf, type ServiceClient } from "../_shared/database.ts";
import type { Page } from "./handler.ts";

/** A page of the account book, newest first; each row with the balance after it. */
export async function accountBook(
  database: ServiceClient,
  organizationId: string,
  { limit, cursor }: Page,
): Promise<object> {
  let query = database.from("billing_changes")
    .select(
      "id, kind, subject, actor, cause, before, after, purchased_seats, seats_used, created_at",
    )
    .eq("organization_id", organizationId)
    .order("id", { ascending: false })
    .limit(limit + 1);
  if (cursor !== undefined) query = query.lt("id", cursor);
  const rows = await answerOf(query);
  return {
    data: rows.slice(0, limit).map(({ purchased_seats, seats_used, created_at, ...row }) => ({
      ...row,
      purchasedSeats: purchased_seats,
      seatsUsed: seats_used,
      createdAt: created_at,
    })),
    nextCursor: rows.length > limit ? rows[limit - 1]?.id ?? null : null,
  };
}
