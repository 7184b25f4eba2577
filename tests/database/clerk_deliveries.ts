import { only, type Sql } from "./connection.ts";
import { randomId } from "./random_id.ts";

/** A message of Svix's: an event, under the id that it keeps over retries. */
export interface Delivery {
  readonly messageId: string;
  readonly event: { readonly type: string };
}

/** What `apply_clerk_event()` returns. */
export interface ClerkOutcome {
  readonly outcome: "applied" | "duplicate" | "ignored";
  readonly reason?: string;
  readonly organizationId?: string;
  readonly seatsUsed?: number;
  readonly seatLimit?: number;
  readonly alert?: string | null;
}

/** Delivers one event. */
export async function applyClerkEvent(
  sql: Sql,
  event: Delivery["event"],
  messageId: string = randomId("msg"),
): Promise<ClerkOutcome> {
  return only(await applyClerkEvents(sql, [{ messageId, event }]));
}

/** Delivers one after the other, in one round trip. */
export async function applyClerkEvents(
  sql: Sql,
  deliveries: readonly Delivery[],
): Promise<readonly ClerkOutcome[]> {
  const rows = await sql<{ outcome: ClerkOutcome }[]>`
    select public.apply_clerk_event(delivery ->> 'messageId', delivery -> 'event') as outcome
    from jsonb_array_elements(${JSON.stringify(deliveries)}::text::jsonb) as d (delivery)`;
  return rows.map(({ outcome }) => outcome);
}
