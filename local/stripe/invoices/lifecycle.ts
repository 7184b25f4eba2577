import type { Stripe } from "stripe";
import type { Account } from "../account.ts";
import { newId } from "../api/ids.ts";
import { changeCustomer } from "../customers/customer.ts";
import type { ChargeOutcome } from "../customers/cards.ts";
import { amounts, balanceAfter, draftOf, type InvoiceInput } from "./invoice.ts";
import { waitingLine } from "./invoice_lines.ts";

const RETRY_AFTER_SECONDS = 3 * 24 * 60 * 60;

/** What an invoice of a subscription is made from. */
export interface Billing extends Pick<InvoiceInput, "subscription" | "reason" | "period"> {
  /** Given the invoice's id; the invoice items that wait for the subscription come after them. */
  lines: (invoice: string) => Stripe.InvoiceLineItem[];
}

/** Makes a draft; the invoice items that wait for this subscription go onto it. */
export function createDraft(account: Account, billing: Billing): Stripe.Invoice {
  const id = newId("in");
  const { subscription } = billing;
  const waiting = waitingItems(account, subscription.id);
  for (const item of waiting) account.state.invoiceItems[item.id] = { ...item, invoice: id };
  const invoice = draftOf({
    ...billing,
    id,
    customer: customerOf(account, subscription.customer),
    lines: [
      ...billing.lines(id),
      ...waiting.map((item) => waitingLine(item, id, subscription)),
    ],
    now: account.clock.now(),
  });
  account.state.invoices[id] = invoice;
  account.emit("invoice.created", invoice);
  return invoice;
}

/**
 * Finalizes a draft: it gets its number, the customer's balance is set against it, and it is open;
 * or paid, if nothing is left to pay.
 */
export function finalize(account: Account, draft: Stripe.Invoice): Stripe.Invoice {
  const now = account.clock.now();
  const customer = customerOf(account, draft.customer);
  const sequence = customer.next_invoice_sequence ?? 1;
  const { balance } = customer;
  const invoice = put(account, {
    ...draft,
    ...amounts(draft.total, balance),
    effective_at: now,
    ending_balance: balanceAfter(draft.total, balance),
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
export function markPaid(account: Account, invoice: Stripe.Invoice): Stripe.Invoice {
  const paid = put(account, {
    ...invoice,
    amount_paid: invoice.amount_due,
    amount_remaining: 0,
    attempt_count: invoice.attempt_count + (invoice.amount_due > 0 ? 1 : 0),
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

/** Notes how the attempt to collect an open invoice went. */
export function settle(
  account: Account,
  invoice: Stripe.Invoice,
  outcome: ChargeOutcome,
): Stripe.Invoice {
  if (outcome === "succeeded") return markPaid(account, invoice);
  const failed = put(account, {
    ...invoice,
    attempt_count: invoice.attempt_count + 1,
    attempted: true,
    next_payment_attempt: account.clock.now() + RETRY_AFTER_SECONDS,
  });
  account.emit("invoice.payment_failed", failed);
  if (outcome === "requires_action") account.emit("invoice.payment_action_required", failed);
  return failed;
}

/** Closes an open invoice or a draft without payment. */
export function close(
  account: Account,
  invoice: Stripe.Invoice,
  as: "void" | "uncollectible",
): Stripe.Invoice {
  const now = account.clock.now();
  const before = invoice.status_transitions;
  const closed = put(account, {
    ...invoice,
    auto_advance: false,
    next_payment_attempt: null,
    status: as,
    status_transitions: as === "void"
      ? { ...before, voided_at: now }
      : { ...before, marked_uncollectible_at: now },
  });
  account.emit(as === "void" ? "invoice.voided" : "invoice.marked_uncollectible", closed);
  return closed;
}

/** The invoice items that wait for a subscription's next invoice, oldest first. */
export function waitingItems(account: Account, subscription: string): Stripe.InvoiceItem[] {
  return Object.values(account.state.invoiceItems).filter(({ invoice, parent }) =>
    invoice === null && parent?.subscription_details?.subscription === subscription
  );
}

function put(account: Account, invoice: Stripe.Invoice): Stripe.Invoice {
  account.state.invoices[invoice.id] = invoice;
  return invoice;
}

function customerOf(account: Account, reference: Stripe.Invoice["customer"]): Stripe.Customer {
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
