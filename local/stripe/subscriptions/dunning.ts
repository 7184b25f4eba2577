import type { Stripe } from "stripe";
import type { Account } from "../account.ts";
import { charge } from "../customers/payment_method.ts";
import { idOf } from "../invoices/lifecycle.ts";
import { collect } from "./collection.ts";
import { cancelForNonPayment, markUnpaid } from "./ending.ts";
import { paymentMethodOf, subscriptionOf } from "./subscription.ts";

/** What becomes of a past_due subscription once the last retry has failed. */
export type AfterRetries = "canceled" | "unpaid" | "past_due";

/** How the account is set: for everyone, and for customers that differ. */
export interface RetrySettings {
  standard: AfterRetries;
  byCustomer: Record<string, AfterRetries>;
}

/** Tries again to collect an invoice of a past_due subscription, and acts on the last failure. */
export function retryInvoice(
  account: Account,
  subscription: Stripe.Subscription,
  invoice: Stripe.Invoice,
): void {
  const outcome = charge(account, paymentMethodOf(account, subscription), false);
  const settled = collect(account, invoice, outcome, true);
  const left = subscriptionOf(account, subscription.id);
  const isGivenUp = settled.status === "open" && settled.next_payment_attempt === null;
  if (!isGivenUp || left.status !== "past_due") return;
  const { standard, byCustomer } = account.state.retrySettings;
  const after = byCustomer[idOf(left.customer)] ?? standard;
  if (after === "canceled") cancelForNonPayment(account, left);
  if (after === "unpaid") markUnpaid(account, left);
}
