import type { Stripe } from "stripe";
import { wholeList } from "../api/listing.ts";
import type { Period } from "./proration.ts";

/** What a draft is made from. */
export interface InvoiceInput {
  id: string;
  customer: Stripe.Customer;
  subscription: Stripe.Subscription;
  reason: "subscription_create" | "subscription_cycle" | "subscription_update" | "upcoming";
  lines: Stripe.InvoiceLineItem[];
  /** The period that is over; what is billed ahead is in the lines. */
  period: Period;
  /** When the invoice is made. */
  now: number;
}

/** What is the same on every invoice here: no taxes, discounts, shipping or credit notes. */
const UNUSED = {
  account_country: "US",
  account_name: "Local",
  account_tax_ids: null,
  amount_overpaid: 0,
  amount_shipping: 0,
  application: null,
  automatic_tax: {
    disabled_reason: null,
    enabled: false,
    liability: null,
    provider: null,
    status: null,
  },
  custom_fields: null,
  default_payment_method: null,
  default_source: null,
  default_tax_rates: [],
  description: null,
  discounts: [],
  due_date: null,
  footer: null,
  from_invoice: null,
  hosted_invoice_url: null,
  invoice_pdf: null,
  issuer: { type: "self" },
  last_finalization_error: null,
  latest_revision: null,
  livemode: false,
  on_behalf_of: null,
  payment_settings: {
    default_mandate: null,
    payment_method_options: null,
    payment_method_types: null,
  },
  post_payment_credit_notes_amount: 0,
  pre_payment_credit_notes_amount: 0,
  receipt_number: null,
  rendering: null,
  shipping_cost: null,
  shipping_details: null,
  statement_descriptor: null,
  total_discount_amounts: [],
  total_pretax_credit_amounts: [],
  total_taxes: [],
  webhooks_delivered_at: null,
} satisfies Partial<Stripe.Invoice>;

/** An invoice as a draft. Computes; changes nothing. */
export function draftOf(input: InvoiceInput): Stripe.Invoice {
  const { id, customer, subscription, reason, lines, period, now } = input;
  const total = lines.reduce((sum, { amount }) => sum + amount, 0);
  return {
    ...UNUSED,
    id,
    object: "invoice",
    ...amounts(total, customer.balance),
    amount_paid: 0,
    attempt_count: 0,
    attempted: false,
    auto_advance: true,
    automatically_finalizes_at: null,
    billing_reason: reason,
    collection_method: "charge_automatically",
    created: now,
    currency: subscription.currency,
    ...customerDetails(customer),
    effective_at: null,
    ending_balance: null,
    lines: wholeList(lines, `/v1/invoices/${id}/lines`),
    metadata: {},
    next_payment_attempt: null,
    number: null,
    parent: {
      quote_details: null,
      subscription_details: {
        metadata: subscription.metadata,
        subscription: subscription.id,
      },
      type: "subscription_details",
    },
    period_end: period.end,
    period_start: period.start,
    starting_balance: customer.balance,
    status: "draft",
    status_transitions: {
      finalized_at: null,
      marked_uncollectible_at: null,
      paid_at: null,
      voided_at: null,
    },
    subtotal: total,
    subtotal_excluding_tax: total,
    test_clock: customer.test_clock ?? null,
    total,
    total_excluding_tax: total,
  };
}

/**
 * What an invoice asks for, once the customer's balance is set against it: a credit (a negative
 * balance) pays as much as it can.
 */
export function amounts(total: number, balance: number) {
  const due = Math.max(0, total + balance);
  return { amount_due: due, amount_remaining: due };
}

/** What the customer's balance is after an invoice: a negative total becomes a credit. */
export function balanceAfter(total: number, balance: number): number {
  return Math.min(0, total + balance);
}

function customerDetails(customer: Stripe.Customer) {
  return {
    customer: customer.id,
    customer_account: null,
    customer_address: customer.address ?? null,
    customer_email: customer.email,
    customer_name: customer.name ?? null,
    customer_phone: customer.phone ?? null,
    customer_shipping: null,
    customer_tax_exempt: customer.tax_exempt ?? "none",
    customer_tax_ids: [],
  };
}
