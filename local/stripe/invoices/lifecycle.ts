import type { Stripe } from "stripe";
import type { Account } from "../account.ts";
import { newId } from "../api/ids.ts";
import { changeCustomer } from "../customers/customer.ts";
import type { ChargeOutcome } from "../customers/cards.ts";
import { compose, type Composition } from "./composition.ts";
import { amounts, balanceAfter } from "./invoice.ts";

const DAY_SECONDS = 24 * 60 * 60;

/** How long after each failed attempt Stripe tries again; after the last one it gives up. */
export const RETRY_AFTER_SECONDS = [3, 5, 7].map((days) => days * DAY_SECONDS);

/** What an invoice of a subscription is made from; what waits for it is in the account. */
export type Billing = Omit<Composition, "customer" | "waiting" | "now">;

/** Makes a draft; the invoice items that wait for this subscription go onto it. */
export function createDraft(account: Account, billing: Billing): Stripe.Invoice {
  const id = newId("in");
  const { subscription } = billing;
  const waiting = waitingItems(account, subscription.id);
  for (const item of waiting) account.state.invoiceItems[item.id] = { ...item, invoice: id };
  const customer = customerOf(account, subscription.customer);
  const invoice = compose(id, { ...billing, customer, waiting, now: account.clock.now() });
  account.state.invoices[id] = invoice;
  account.emit("invoice.created", invoice);
  return invoice;
}

/**
 * Finalizes a draft: it gets its number and its page, the customer's balance is set against it, and
 * it is open; or paid, if nothing is left to pay.
 */
export function finalize(account: Account, draft: Stripe.Invoice): Stripe.Invoice {
  const now = account.clock.now();
  const customer = customerOf(account, draft.customer);
  const sequence = customer.next_invoice_sequence ?? 1;
  const { balance } = customer;
  const invoice = putInvoice(account, {
    ...draft,
    ...amounts(draft.total, balance),
    effective_at: now,
    ending_balance: balanceAfter(draft.total, balance),
    hosted_invoice_url: invoiceUrl(account, draft.id),
    number: `${customer.invoice_prefix}-${String(sequence).padStart(4, "0")}`,
    starting_balance: balance,
    status: "open",
    status_transitions: { ...draft.status_transitions, finalized_at: now },
  });
  changeCustomer(account, customer, {
    balance: balanceAfter(draft.total, balance),
    currency: invoice.currency,
    next_invoice_sequence: sequence + 1,
  });
  account.emit("invoice.finalized", invoice);
  return invoice.amount_due === 0 ? markPaid(account, invoice) : invoice;
}

/** Notes that an open invoice has been paid. */
export function markPaid(
  account: Account,
  invoice: Stripe.Invoice,
  isRetry = false,
): Stripe.Invoice {
  const paid = putInvoice(account, {
    ...invoice,
    amount_paid: invoice.amount_due,
    amount_remaining: 0,
    attempt_count: invoice.amount_due > 0 ? attemptsAfter(invoice, isRetry) : 0,
    attempted: true,
    auto_advance: false,
    next_payment_attempt: null,
    status: "paid",
    status_transitions: { ...invoice.status_transitions, paid_at: account.clock.now() },
  });
  account.emit("invoice.paid", paid);
  account.emit("invoice.payment_succeeded", paid);
  return paid;
}

/**
 * Notes how the attempt to collect an open invoice went. Only the first attempt and Stripe's own
 * retries count, and only they move the next one.
 */
export function settle(
  account: Account,
  invoice: Stripe.Invoice,
  outcome: ChargeOutcome,
  isRetry = false,
): Stripe.Invoice {
  if (outcome === "succeeded") return markPaid(account, invoice, isRetry);
  const attempts = attemptsAfter(invoice, isRetry);
  const delay = invoice.auto_advance ? RETRY_AFTER_SECONDS[attempts - 1] : undefined;
  const failed = putInvoice(account, {
    ...invoice,
    attempt_count: attempts,
    attempted: true,
    next_payment_attempt: attempts === invoice.attempt_count
      ? invoice.next_payment_attempt
      : delay === undefined
      ? null
      : account.clock.now() + delay,
  });
  account.emit("invoice.payment_failed", failed);
  if (outcome === "requires_action") account.emit("invoice.payment_action_required", failed);
  return failed;
}

/**
 * Closes an open invoice or a draft without payment. Voided, it gives back what it took of the
 * customer's balance.
 */
export function close(
  account: Account,
  invoice: Stripe.Invoice,
  as: "void" | "uncollectible",
): Stripe.Invoice {
  const now = account.clock.now();
  const before = invoice.status_transitions;
  const closed = putInvoice(account, {
    ...invoice,
    auto_advance: false,
    next_payment_attempt: null,
    status: as,
    status_transitions: as === "void"
      ? { ...before, voided_at: now }
      : { ...before, marked_uncollectible_at: now },
  });
  if (as === "void") {
    const customer = customerOf(account, invoice.customer);
    changeCustomer(account, customer, { balance: customer.balance + appliedBalance(invoice) });
  }
  account.emit(as === "void" ? "invoice.voided" : "invoice.marked_uncollectible", closed);
  return closed;
}

/** What a finalized invoice took of the customer's balance; 0 or negative where it paid a part. */
export function appliedBalance({ starting_balance, ending_balance }: Stripe.Invoice): number {
  return ending_balance === null ? 0 : starting_balance - ending_balance;
}

/** The invoice items that wait for a subscription's next invoice, oldest first. */
export function waitingItems(account: Account, subscription: string): Stripe.InvoiceItem[] {
  return Object.values(account.state.invoiceItems).filter(({ invoice, parent }) =>
    invoice === null && parent?.subscription_details?.subscription === subscription
  );
}

/** Stores a changed invoice. */
export function putInvoice(account: Account, invoice: Stripe.Invoice): Stripe.Invoice {
  account.state.invoices[invoice.id] = invoice;
  return invoice;
}

/** The page on which an invoice is paid. */
export function invoiceUrl(account: Account, id: string): string {
  return `${account.url}/i/${id}`;
}

/** Gives finalized invoices their page anew, after the emulator has come to listen elsewhere. */
export function refreshInvoiceUrls(account: Account): void {
  for (const invoice of Object.values(account.state.invoices)) {
    if (typeof invoice.hosted_invoice_url === "string") {
      putInvoice(account, { ...invoice, hosted_invoice_url: invoiceUrl(account, invoice.id) });
    }
  }
}

/** The customer that an invoice or a subscription belongs to. Throws where it is gone. */
export function customerOf(
  account: Account,
  reference: Stripe.Invoice["customer"],
): Stripe.Customer {
  const customer = account.state.customers[idOf(reference)];
  if (customer === undefined || customer.deleted) {
    throw new Error(`The customer ${idOf(reference)} of an invoice is gone.`);
  }
  return customer;
}

/** The id in a field that may hold the object itself. */
export function idOf(reference: string | { id: string } | null): string {
  return typeof reference === "object" ? reference?.id ?? "" : reference;
}

function attemptsAfter({ attempt_count: attempts }: Stripe.Invoice, isRetry: boolean): number {
  return attempts === 0 || isRetry ? attempts + 1 : attempts;
}
