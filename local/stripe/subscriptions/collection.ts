import type { Stripe } from "stripe";
import type { Account } from "../account.ts";
import type { ChargeOutcome } from "../customers/cards.ts";
import { idOf, settle } from "../invoices/lifecycle.ts";
import { applyPending, isPendingInvoice } from "./pending_update.ts";
import { changeSubscription } from "./subscription.ts";

/**
 * Notes how the attempt to collect an open invoice went, on the invoice and, if it is the latest
 * one, on the status of its subscription. The invoice of a pending update decides about that and
 * nothing else.
 */
export function collect(
  account: Account,
  invoice: Stripe.Invoice,
  outcome: ChargeOutcome,
  isRetry = false,
): Stripe.Invoice {
  const settled = settle(account, invoice, outcome, isRetry);
  const subscription = account.state.subscriptions.get(subscriptionIdOf(settled));
  if (subscription === undefined) return settled;
  if (isPendingInvoice(account, subscription, settled)) {
    if (settled.status === "paid") applyPending(account, subscription);
    return settled;
  }
  if (idOf(subscription.latest_invoice) !== settled.id) return settled;
  const { status } = subscription;
  if (settled.status === "paid" && ["incomplete", "past_due", "unpaid"].includes(status)) {
    changeSubscription(account, subscription, { status: "active" });
  } else if (settled.status === "open" && status === "active") {
    changeSubscription(account, subscription, { status: "past_due" });
  }
  return settled;
}

/** The id of the subscription that an invoice bills. */
export function subscriptionIdOf({ parent }: Stripe.Invoice): string {
  return idOf(parent?.subscription_details?.subscription ?? null);
}
