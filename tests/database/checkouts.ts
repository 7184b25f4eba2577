import { only, type Sql } from "./connection.ts";
import type { Organization } from "./organizations.ts";

/** What somebody wants to buy. */
export interface Wish {
  readonly plan?: string;
  readonly billingPeriod?: string;
  readonly seats?: number | null;
  readonly successUrl?: string;
  readonly cancelUrl?: string;
  readonly actor?: string;
  /** The organization that his token is for. */
  readonly clerkOrgId?: string;
}

/** What `start_checkout()` returns. */
export interface Checkout {
  readonly seatChangeId: string;
  readonly expiresAt: number;
  readonly lookupKey: string;
  readonly stripeCustomerId: string | null;
  readonly organizationName: string;
}

/** Starts a checkout: five seats of plan pro by the month, unless told otherwise. */
export async function startCheckout(
  sql: Sql,
  organization: Pick<Organization, "id" | "clerkOrgId">,
  {
    plan = "pro",
    billingPeriod = "monthly",
    seats = 5,
    successUrl = "https://acme.example/bought",
    cancelUrl = "https://acme.example/left",
    actor = "user_admin",
    clerkOrgId = organization.clerkOrgId,
  }: Wish = {},
): Promise<Checkout> {
  const rows = await sql<{ checkout: Checkout }[]>`
    select public.start_checkout(
      ${organization.id}, ${clerkOrgId}, ${plan}, ${billingPeriod}, ${seats}, ${successUrl},
      ${cancelUrl}, ${actor}
    ) as checkout`;
  return only(rows).checkout;
}

/** Notes the Checkout Session of an intent; returns the intent's state. */
export async function attachSession(
  sql: Sql,
  seatChangeId: string,
  sessionId: string,
): Promise<string | null> {
  const rows = await sql<{ state: string | null }[]>`
    select public.attach_checkout_session(${seatChangeId}, ${sessionId}) as state`;
  return only(rows).state;
}

/** How an intent stands. */
export async function stateOf(sql: Sql, seatChangeId: string): Promise<string> {
  const rows = await sql<{ state: string }[]>`
    select state from public.seat_changes where id = ${seatChangeId}`;
  return only(rows).state;
}

/** Ends an intent that Stripe has answered with an error. */
export async function abandonCheckout(sql: Sql, seatChangeId: string): Promise<void> {
  await sql`select public.abandon_checkout(${seatChangeId})`;
}
