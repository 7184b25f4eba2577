import type Stripe from "stripe";
import * as z from "zod";
import { seatCost } from "../_shared/capacity.ts";
import { answerOf } from "../_shared/database.ts";
import { ApiError } from "../_shared/errors.ts";
import type { AdminSession } from "../_shared/session.ts";
import { findPrice, stripeAnswer } from "../_shared/stripe.ts";
import { periodStart, priceArguments } from "./change.ts";
import type { Dependencies } from "./handler.ts";

const priceSchema = z.object({
  plan: z.string(),
  billingPeriod: z.string(),
  seats: z.int(),
  lookupKey: z.string(),
  currency: z.string(),
  baseAmount: z.int(),
  seatAmount: z.int(),
  includedSeats: z.int(),
});
const previewSchema = z.object({
  kind: z.enum(["now", "renewal"]),
  before: priceSchema,
  after: priceSchema,
  periodEnd: z.string(),
  startsPeriod: z.boolean(),
  trialing: z.boolean(),
  cancelAtPeriodEnd: z.boolean(),
  subscriptionId: z.string(),
  itemId: z.string(),
  customerId: z.string(),
});

/** What somebody thinks of changing. */
export interface PreviewWish {
  readonly seats: number;
  readonly plan?: string | undefined;
  readonly billingPeriod?: string | undefined;
}

/**
 * What a change would cost, by Stripe's own preview. A change with the same `prorationDate` charges
 * exactly `dueToday` (Stripe: preview prorations). A change that would be refused is answered with
 * the refusal's code instead. `nextInvoice` is null when the subscription ends before one.
 */
export async function previewChange(
  dependencies: Dependencies,
  organizationId: string,
  session: AdminSession,
  wish: PreviewWish,
): Promise<object> {
  const { database, stripe, now } = dependencies;
  let preview: z.infer<typeof previewSchema>;
  try {
    preview = previewSchema.parse(
      await answerOf(database.rpc("preview_seat_change", {
        p_organization_id: organizationId,
        p_clerk_org_id: session.clerkOrgId,
        p_seats: wish.seats,
        ...priceArguments(wish),
      })),
    );
  } catch (error) {
    if (!(error instanceof ApiError) || (error.status !== 409 && error.status !== 422)) throw error;
    return {
      outcome: "refused",
      code: error.code,
      error: error.message,
      details: error.details,
    };
  }
  const prorationDate = Math.floor(now() / 1000);
  const price = await findPrice(stripe, preview.after.lookupKey);
  // Nothing is due in a trial: there is no time that has been billed.
  const isCharged = preview.kind === "now" && !preview.trialing;
  const [today, next] = await Promise.all([
    isCharged
      ? previewInvoice(stripe, preview, price, {
        proration_behavior: "always_invoice",
        proration_date: prorationDate,
      })
      : null,
    // Of a subscription that ends Stripe has no invoice to show.
    preview.cancelAtPeriodEnd ? null : previewInvoice(
      stripe,
      preview,
      price,
      { proration_behavior: "none" },
      isCharged ? "recurring" : "next",
    ),
  ]);
  return {
    outcome: preview.kind,
    before: costOf(preview.before),
    after: costOf(preview.after),
    dueToday: today?.amount_due ?? 0,
    prorationDate: today === null ? null : toIso(prorationDate),
    effectiveAt: preview.kind === "now" ? new Date(now()).toISOString() : preview.periodEnd,
    nextInvoice: next && nextInvoice(today, next, preview.periodEnd),
    currency: preview.after.currency,
  };
}

/** The invoice to come; where something is charged today it begins with the credit that this leaves. */
function nextInvoice(
  today: Stripe.Invoice | null,
  next: Stripe.Invoice,
  periodEnd: string,
): object {
  if (today === null) return { date: toIso(next.period_end), amount: next.amount_due };
  // A period that begins today is billed today, beside what is credited for the old one.
  const begun = today.lines.data.find(({ parent }) =>
    parent?.subscription_item_details?.proration === false
  );
  const credit = today.total + today.starting_balance - today.amount_due;
  return {
    date: begun === undefined ? toIso(Date.parse(periodEnd) / 1000) : toIso(begun.period.end),
    amount: Math.max(0, next.total + credit),
  };
}

function toIso(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}

async function previewInvoice(
  stripe: Stripe,
  preview: z.infer<typeof previewSchema>,
  price: string,
  proration: Stripe.InvoiceCreatePreviewParams.SubscriptionDetails,
  mode: "next" | "recurring" = "next",
): Promise<Stripe.Invoice> {
  return await stripeAnswer(stripe.invoices.createPreview({
    customer: preview.customerId,
    subscription: preview.subscriptionId,
    preview_mode: mode,
    subscription_details: {
      items: [{ id: preview.itemId, price, quantity: preview.after.seats }],
      ...periodStart(preview.startsPeriod),
      ...proration,
    },
  }));
}

/** A price with its seats and what they cost for a whole billing period, in the smallest unit. */
function costOf({ lookupKey: _key, ...price }: z.infer<typeof priceSchema>): object {
  return { ...price, ...seatCost(price, price.seats) };
}
