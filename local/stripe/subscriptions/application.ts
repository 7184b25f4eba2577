import type { Stripe } from "stripe";
import type { Account } from "../account.ts";
import { cardDeclined } from "../api/errors.ts";
import type { ChargeOutcome } from "../customers/cards.ts";
import { charge } from "../customers/payment_method.ts";
import { compose } from "../invoices/composition.ts";
import { createDraft, finalize } from "../invoices/lifecycle.ts";
import type { PlannedChange } from "./change.ts";
import { type ChangeBill, changeBill } from "./change_bill.ts";
import { collect } from "./collection.ts";
import { discardPending, groundOf, holdChange, putDebits } from "./pending_update.ts";
import { changeSubscription, paymentMethodOf, subscriptionOf } from "./subscription.ts";

/**
 * What to do when a change can't be paid at once: go on as past_due, refuse it, or keep it until it
 * is paid.
 */
export type PaymentBehaviour = "allow_incomplete" | "error_if_incomplete" | "pending_if_incomplete";

/**
 * Carries out a planned change together with `also`. Prorations wait for the next invoice, or are
 * billed at once. A pending update gives way to it. Throws card_declined, having changed nothing,
 * where the behaviour says so.
 */
export function applyChange(
  account: Account,
  subscription: Stripe.Subscription,
  planned: PlannedChange,
  behaviour: PaymentBehaviour,
  also: Partial<Stripe.Subscription> = {},
): Stripe.Subscription {
  const bill = changeBill(account, subscription, planned, also);
  const outcome = charge(account, paymentMethodOf(account, bill.after), false);
  const isUnpaid = planned.isBilledNow && outcome !== "succeeded" &&
    dueNow(account, subscription, bill) > 0;
  if (isUnpaid && behaviour === "error_if_incomplete") throw cardDeclined(outcome, "subscription");
  const before = discardPending(account, subscription);
  if (isUnpaid && behaviour === "pending_if_incomplete") {
    return holdChange(account, before, planned, bill, also, outcome);
  }
  return carryOut(account, before, planned, bill, outcome);
}

function carryOut(
  account: Account,
  before: Stripe.Subscription,
  planned: PlannedChange,
  { after, items, billing }: ChangeBill,
  outcome: ChargeOutcome,
): Stripe.Subscription {
  for (const item of items) {
    account.state.invoiceItems[item.id] = item;
    account.emit("invoiceitem.created", item);
  }
  putDebits(account, before, planned.debits);
  const changed = { ...after, pending_update: null };
  if (!planned.isBilledNow) return changeSubscription(account, before, changed);
  const draft = createDraft(account, billing);
  changeSubscription(account, before, { ...changed, latest_invoice: draft.id });
  const invoice = finalize(account, draft);
  if (invoice.status === "open") collect(account, invoice, outcome);
  return subscriptionOf(account, before.id);
}

function dueNow(
  account: Account,
  subscription: Stripe.Subscription,
  { items, billing }: ChangeBill,
): number {
  const { customer, waiting } = groundOf(account, subscription);
  const now = account.clock.now();
  return compose("", { ...billing, customer, waiting: [...waiting, ...items], now }).amount_due;
}
