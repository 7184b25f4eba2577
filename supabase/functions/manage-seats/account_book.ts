import { answerOf, type ServiceClient } from "../_shared/database.ts";
import type { Page } from "./handler.ts";

/** A page of the account book, newest first. */
export async function accountBook(
  database: ServiceClient,
  organizationId: string,
  { limit, cursor }: Page,
): Promise<object> {
  let query = database.from("billing_changes")
    .select("id, kind, subject, actor, cause, before, after, created_at")
    .eq("organization_id", organizationId)
    .order("id", { ascending: false })
    .limit(limit + 1);
  if (cursor !== undefined) query = query.lt("id", cursor);
  const rows = await answerOf(query);
  return {
    data: rows.slice(0, limit).map(({ created_at: createdAt, ...row }) => ({ ...row, createdAt })),
    nextCursor: rows.length > limit ? rows[limit - 1]?.id ?? null : null,
  };
}
