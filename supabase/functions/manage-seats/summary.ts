import * as z from "zod";
import {
  availableSeats,
  isAtCapacity,
  isNearCapacity,
  seatsUsed,
  usageBand,
  usagePercentage,
} from "../_shared/capacity.ts";
import { answerOf } from "../_shared/database.ts";
import { describeError, log } from "../_shared/log.ts";
import { ApiError } from "../_shared/errors.ts";
import { stripeAnswer } from "../_shared/stripe.ts";
import { changeSchema } from "./change_answer.ts";
import type { Dependencies, Page } from "./handler.ts";

const summarySchema = z.object({
  organizationId: z.uuid(),
  status: z.string(),
  plan: z.string().nullable(),
  billingPeriod: z.string().nullable(),
  purchasedSeats: z.int(),
  renewalSeats: z.int().nullable(),
  includedSeats: z.int().nullable(),
  grantedSeats: z.int(),
  membersCount: z.int(),
  pendingInvitationsCount: z.int(),
  overCapacity: z.boolean(),
  currentPeriodEnd: z.string().nullable(),
  cancelAtPeriodEnd: z.boolean(),
  graceUntil: z.string().nullable(),
  change: changeSchema.nullable(),
  stripeCustomerId: z.string().nullable(),
  stripeSubscriptionId: z.string().nullable(),
});

/** How an organization stands, as the database has it. */
export type Summary = z.infer<typeof summarySchema>;

/**
 * How an organization stands, if the session is for it.
 *
 * @throws {ApiError} `not_organization_member` (403).
 */
export async function readSummary(
  { database }: Dependencies,
  organizationId: string,
  clerkOrgId: string | null,
): Promise<Summary> {
  return summarySchema.parse(
    await answerOf(database.rpc("seat_summary", {
      p_organization_id: organizationId,
      p_clerk_org_id: clerkOrgId ?? "",
    })),
  );
}

/** The summary as clients get it: with what follows from the numbers, the seats taken and the next invoice. */
export async function summarize(
  dependencies: Dependencies,
  { stripeCustomerId: _customer, stripeSubscriptionId, ...summary }: Summary,
  page: Page,
): Promise<object> {
  const usage = { ...summary, seatLimit: summary.purchasedSeats };
  const [seats, nextInvoice] = await Promise.all([
    takenSeats(dependencies, summary.organizationId, page),
    summary.cancelAtPeriodEnd || stripeSubscriptionId === null || summary.purchasedSeats === 0
      ? null
      : readNextInvoice(dependencies, stripeSubscriptionId),
  ]);
  return {
    ...summary,
    seatsUsed: seatsUsed(usage),
    availableSeats: availableSeats(usage),
    percentage: usagePercentage(usage),
    band: usageBand(usage),
    nearCapacity: isNearCapacity(usage),
    atCapacity: isAtCapacity(usage),
    nextInvoice,
    seats,
  };
}

async function takenSeats(
  { database }: Dependencies,
  organizationId: string,
  { limit, cursor = 0 }: Page,
): Promise<object> {
  const taken = await answerOf(
    database.from("organization_seats")
      .select("id, taken_by, clerk_user_id, email, role, since")
      .eq("organization_id", organizationId)
      .order("since").order("id")
      .range(cursor, cursor + limit),
  );
  return {
    data: taken.slice(0, limit).map((seat) => ({
      id: seat.id,
      takenBy: seat.taken_by,
      clerkUserId: seat.clerk_user_id,
      email: seat.email,
      role: seat.role,
      since: seat.since,
    })),
    nextCursor: taken.length > limit ? cursor + limit : null,
  };
}

/** When the next invoice comes and what it will be, in the smallest unit; null while Stripe is away. */
async function readNextInvoice(
  { stripe }: Dependencies,
  subscription: string,
): Promise<object | null> {
  try {
    const invoice = await stripeAnswer(stripe.invoices.createPreview({ subscription }));
    return {
      date: new Date(invoice.period_end * 1000).toISOString(),
      amount: invoice.amount_due,
      currency: invoice.currency,
    };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    log("warn", "next invoice not read", {
      function: "manage-seats",
      cause: describeError(error.cause),
    });
    return null;
  }
}
