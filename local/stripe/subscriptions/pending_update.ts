import type { Stripe } from "stripe";
import type { Account } from "../account.ts";
import type { ChargeOutcome } from "../customers/cards.ts";
import {
  appliedBalance,
  close,
  createDraft,
  customerOf,
  finalize,
  putInvoice,
  settle,
} from "../invoices/lifecycle.ts";
import type { PlannedChange } from "./change.ts";
import { type ChangeBill, endOf } from "./change_bill.ts";
import { changeSubscription } from "./subscription.ts";

const LONGEST_SECONDS = 23 * 60 * 60;

/** A change that waits for its invoice to be paid. */
export interface PendingChange extends Pick<PlannedChange, "items" | "debits" | "anchor"> {
  invoice: string;
  /** The invoice items that it made; others on its invoice waited before. */
  prorations: string[];
  /** What else it changes. */
  also: Partial<Stripe.Subscription>;
}

/** What the next bill of a subscription starts from. */
export interface Ground {
  customer: Stripe.Customer;
  waiting: Stripe.InvoiceItem[];
}

/**
 * The customer and the invoice items that wait, as they are once a pending update is out of the way:
 * another change takes its place, and before a renewal it has expired.
 */
export function groundOf(
  account: Account,
  { id, customer: reference }: Stripe.Subscription,
): Ground {
  const pending = account.state.pendingUpdates[id];
  const customer = customerOf(account, reference);
  const invoice = account.state.invoices[pending?.invoice ?? ""];
  const waiting = Object.values(account.state.invoiceItems).filter((item) =>
    item.parent?.subscription_details?.subscription === id &&
    (item.invoice === null || isReleased(item, pending))
  );
  if (invoice === undefined) return { customer, waiting };
  const balance = customer.balance + appliedBalance(invoice);
  return { customer: { ...customer, balance }, waiting };
}

/**
 * Keeps a change until its invoice is paid: the subscription stays as it was. `outcome` is how the
 * first attempt to collect the invoice went. See Stripe's "Pending updates".
 */
export function holdChange(
  account: Account,
  before: Stripe.Subscription,
  planned: PlannedChange,
  { after, items, billing }: ChangeBill,
  also: Partial<Stripe.Subscription>,
  outcome: ChargeOutcome,
): Stripe.Subscription {
  for (const item of items) {
    account.state.invoiceItems[item.id] = item;
    account.emit("invoiceitem.created", item);
  }
  const draft = createDraft(account, billing);
  account.state.pendingUpdates[before.id] = {
    items: planned.items,
    debits: planned.debits,
    anchor: planned.anchor,
    invoice: draft.id,
    prorations: items.map(({ id }) => id),
    also,
  };
  const held = changeSubscription(account, before, {
    latest_invoice: draft.id,
    pending_update: {
      billing_cycle_anchor: planned.anchor,
      cancel_at_period_end: also.cancel_at_period_end ?? null,
      discount: null,
      discounts: null,
      expires_at: expiryOf(account, before),
      metadata: also.metadata ?? null,
      subscription_items: after.items.data,
      trial_end: null,
      trial_from_plan: null,
    },
  });
  // It is up to the customer to pay: there are no retries.
  const quiet = putInvoice(account, { ...draft, auto_advance: false });
  settle(account, finalize(account, quiet), outcome);
  return held;
}

/** Says whether an invoice is that of the subscription's pending update. */
export function isPendingInvoice(
  account: Account,
  { id }: Stripe.Subscription,
  invoice: Stripe.Invoice,
): boolean {
  return account.state.pendingUpdates[id]?.invoice === invoice.id;
}

/** The invoice has been paid: what was pending becomes so. */
export function applyPending(
  account: Account,
  subscription: Stripe.Subscription,
): Stripe.Subscription {
  const pending = account.state.pendingUpdates[subscription.id];
  if (pending === undefined) return subscription;
  delete account.state.pendingUpdates[subscription.id];
  putDebits(account, subscription, pending.debits);
  const applied = changeSubscription(account, subscription, {
    ...pending.also,
    ...endOf(subscription, pending.items, pending.also),
    ...(pending.anchor === null ? {} : { billing_cycle_anchor: pending.anchor }),
    items: { ...subscription.items, data: pending.items },
    pending_update: null,
  });
  account.emit("customer.subscription.pending_update_applied", applied);
  return applied;
}

/** Gives a pending update up, if there is one, and voids its invoice. */
export function discardPending(
  account: Account,
  subscription: Stripe.Subscription,
): Stripe.Subscription {
  const pending = account.state.pendingUpdates[subscription.id];
  if (pending === undefined) return subscription;
  delete account.state.pendingUpdates[subscription.id];
  for (const item of Object.values(account.state.invoiceItems)) {
    if (isReleased(item, pending)) {
      account.state.invoiceItems[item.id] = { ...item, invoice: null };
    }
  }
  const invoice = account.state.invoices[pending.invoice];
  if (invoice?.status === "open") close(account, invoice, "void");
  return changeSubscription(account, subscription, { pending_update: null });
}

/** The time to pay for a pending update, if there is one, is up. */
export function expirePending(
  account: Account,
  subscription: Stripe.Subscription,
): Stripe.Subscription {
  const discarded = discardPending(account, subscription);
  if (discarded !== subscription) {
    account.emit("customer.subscription.pending_update_expired", discarded);
  }
  return discarded;
}

/** Notes what will have been billed for a subscription's items, and forgets items that went. */
export function putDebits(
  account: Account,
  before: Stripe.Subscription,
  debits: PlannedChange["debits"],
): void {
  for (const { id } of before.items.data) delete account.state.debits[id];
  Object.assign(account.state.debits, debits);
}

function isReleased(item: Stripe.InvoiceItem, pending: PendingChange | undefined): boolean {
  return pending !== undefined && item.invoice === pending.invoice &&
    !pending.prorations.includes(item.id);
}

/** At most 23 hours, and never beyond the period or the trial. */
function expiryOf(account: Account, { items, trial_end: trialEnd }: Stripe.Subscription): number {
  const now = account.clock.now();
  const ends = [trialEnd ?? 0, ...items.data.map((item) => item.current_period_end)];
  return Math.min(now + LONGEST_SECONDS, ...ends.filter((end) => end > now));
}
