import type { Stripe } from "stripe";
import type { Account } from "../account.ts";
import { invoiceItemOf, periodLines } from "../invoices/invoice_lines.ts";
import { type Billing, idOf } from "../invoices/lifecycle.ts";
import type { PlannedChange } from "./change.ts";
import { billable } from "./subscription.ts";

/** A planned change, together with what it puts on a bill. */
export interface ChangeBill {
  /** The subscription as it will be. */
  after: Stripe.Subscription;
  /** The prorations, as they wait for an invoice. */
  items: Stripe.InvoiceItem[];
  /** What else is on the invoice, where the change makes one at once. */
  billing: Billing;
}

/** Works out the bill of a planned change, for the change itself and for its preview. */
export function changeBill(
  account: Account,
  before: Stripe.Subscription,
  { items, prorations, anchor }: PlannedChange,
  also: Partial<Stripe.Subscription>,
): ChangeBill {
  const now = account.clock.now();
  const after: Stripe.Subscription = {
    ...before,
    ...also,
    items: { ...before.items, data: items },
    ...(anchor === null ? {} : { billing_cycle_anchor: anchor }),
    ...endOf(before, items, also),
  };
  const customer = idOf(after.customer);
  return {
    after,
    items: prorations.map((proration) => invoiceItemOf(proration, after, customer, now)),
    billing: {
      subscription: after,
      reason: "subscription_update",
      period: { start: now, end: now },
      lines: (invoice) =>
        anchor === null
          ? []
          : items.flatMap((item) => periodLines(billable(account, item), invoice, after)),
    },
  };
}

/** The end of a subscription that ends with its period moves with it. */
export function endOf(
  { cancel_at_period_end: wasToEnd }: Stripe.Subscription,
  items: readonly Stripe.SubscriptionItem[],
  { cancel_at_period_end: isToEnd = wasToEnd }: Partial<Stripe.Subscription>,
): Partial<Stripe.Subscription> {
  if (!isToEnd) return {};
  return { cancel_at: Math.max(...items.map((item) => item.current_period_end)) };
}
