import assert from "node:assert/strict";
import { type Refusal, refusalIn, type Transaction } from "./connection.ts";
import type { Organization } from "./organizations.ts";
import { changesOf, startChange, type Wish } from "./seat_changes.ts";

/** How a wish is refused; asserts that it has left nothing behind. */
export async function refused(
  sql: Transaction,
  organization: Pick<Organization, "id" | "clerkOrgId">,
  wish: Wish,
): Promise<Refusal> {
  const before = await changesOf(sql, organization);
  const refusal = await refusalIn(sql, (sql) => startChange(sql, organization, wish));
  assert.deepEqual(await changesOf(sql, organization), before);
  assert.match(refusal.sentence ?? "", /^[A-Z].*\.$/);
  return refusal;
}

/** Asserts how a wish is refused. */
export async function assertRefused(
  sql: Transaction,
  organization: Pick<Organization, "id" | "clerkOrgId">,
  wish: Wish,
  status: number,
  expectedCode: string,
  expectedDetails: unknown = {},
): Promise<void> {
  const { sqlstate, code, details } = await refused(sql, organization, wish);
  assert.deepEqual([sqlstate, code, details], [`PT${status}`, expectedCode, expectedDetails]);
}
