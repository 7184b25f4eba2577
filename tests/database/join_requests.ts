import assert from "node:assert/strict";
import { approveMember, requestMembership } from "./commands.ts";
import { only, type Refusal, refusalIn, type Sql, type Transaction } from "./connection.ts";
import { addRequests, numbersOf, type Organization, type Person } from "./organizations.ts";
import { randomId } from "./random_id.ts";

/** Someone who asks to join. */
export async function addRequest(
  sql: Sql,
  organization: Organization,
): Promise<Omit<Person, "clerkId">> {
  return only(await addRequests(sql, organization, 1));
}

/** The code that people ask to join with. */
export async function joinCodeOf(sql: Sql, { id }: Organization): Promise<string> {
  const rows = await sql<{ code: string }[]>`
    select join_code as code from public.organizations where id = ${id}`;
  return only(rows).code;
}

/** The id of a request that somebody with this address makes with the code. */
export async function requestBy(
  sql: Sql,
  organization: Organization,
  email: string | null,
): Promise<string> {
  const code = await joinCodeOf(sql, organization);
  const id = await requestMembership(sql, code, randomId("user"), email);
  if (id === null) throw new Error(`No organization has the code ${code}`);
  return id;
}

/** How the sixth person is refused where five seats, of plan pro, are taken. */
export const SIXTH_REFUSED: Refusal = {
  sqlstate: "PT409",
  code: "seats_full",
  sentence: "All seats are taken.",
  details: {
    seatLimit: 5,
    seatsUsed: 5,
    available: 0,
    needed: 1,
    missing: 1,
    cost: { seats: 1, plan: "pro", billingPeriod: "monthly", amount: 900, currency: "usd" },
  },
};

/** Fails unless the last seat is taken, and once only: nobody can be added to it. */
export async function assertFull(sql: Transaction, organization: Organization): Promise<void> {
  const { seatLimit, used } = await numbersOf(sql, organization);
  assert.equal(used, seatLimit);
  const stranger = await addRequest(sql, organization);
  assert.equal((await refusalIn(sql, (sql) => approveMember(sql, stranger.id))).code, "seats_full");
}
