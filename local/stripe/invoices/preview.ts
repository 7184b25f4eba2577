import type { Stripe } from "stripe";
import type { Account } from "../account.ts";
import { invalidRequest } from "../api/errors.ts";
import { newId } from "../api/ids.ts";
import { type ChangeTerms, type ItemChange, planChange } from "../subscriptions/change.ts";
import { changeBill } from "../subscriptions/change_bill.ts";
import { groundOf } from "../subscriptions/pending_update.ts";
import { isOverBy, planRenewal, planTrialEnd } from "../subscriptions/renewal_plan.ts";
import { compose, type Composition } from "./composition.ts";
import { balanceAfter } from "./invoice.ts";
import { idOf } from "./lifecycle.ts";

/** What is to be previewed. */
export interface PreviewInput {
  /** Empty for the subscription as it is. */
  changes: readonly ItemChange[];
  terms: ChangeTerms;
  /** What else would change. */
  also: Partial<Stripe.Subscription>;
  /** `recurring` leaves out what is billed once. */
  mode: "next" | "recurring";
}

/**
 * The invoice that a change would make at once or, where it makes none, the next renewal's. It comes
 * from the functions that make the real one, so a change with the same `proration_date` charges
 * exactly this. Changes nothing. Throws invoice_upcoming_none where nothing will be billed.
 */
export function previewInvoice(
  account: Account,
  subscription: Stripe.Subscription,
  { changes, terms, also, mode }: PreviewInput,
): Stripe.Invoice {
  const planned = planChange(account, subscription, changes, terms);
  const { after, items, billing } = changeBill(account, subscription, planned, also);
  const { customer, waiting } = groundOf(account, subscription);
  const isProrated = planned.prorations.length > 0;
  const prorationDate = isProrated && mode === "next" ? terms.at : undefined;
  if (planned.isBilledNow && mode === "next") {
    const now = account.clock.now();
    return upcoming({ ...billing, customer, waiting: [...waiting, ...items], now }, prorationDate);
  }
  if (["canceled", "incomplete", "incomplete_expired", "paused"].includes(after.status)) {
    throw nothingUpcoming(after);
  }
  const renewal = after.status === "trialing"
    ? planTrialEnd(account, after, after.trial_end ?? account.clock.now())
    : planRenewal(account, after);
  const allWaiting = mode === "recurring" ? [] : planned.isBilledNow ? [] : [...waiting, ...items];
  if (!isOverBy(after, renewal.at)) {
    const { billing, at: now } = renewal;
    return upcoming({ ...billing, customer, waiting: allWaiting, now }, prorationDate);
  }
  // A subscription that ends bills what still waits, and no further period.
  if (allWaiting.length === 0) throw nothingUpcoming(after);
  return upcoming({
    ...renewal.billing,
    customer,
    waiting: allWaiting,
    lines: () => [],
    now: renewal.at,
  }, prorationDate);
}

function upcoming(composition: Composition, prorationDate: number | undefined): Stripe.Invoice {
  const draft = compose(newId("upcoming_in"), { ...composition, reason: "upcoming" });
  const details = draft.parent?.subscription_details;
  if (prorationDate !== undefined && details !== undefined && details !== null) {
    details.subscription_proration_date = prorationDate;
  }
  return {
    ...draft,
    ending_balance: balanceAfter(draft.total, draft.starting_balance),
    next_payment_attempt: composition.now,
  };
}

function nothingUpcoming({ customer }: Stripe.Subscription) {
  return invalidRequest(`No upcoming invoices for customer: ${idOf(customer)}`, {
    code: "invoice_upcoming_none",
    status: 404,
  });
}
