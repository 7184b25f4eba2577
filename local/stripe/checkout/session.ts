import type { Stripe } from "stripe";
import type { Account } from "../account.ts";
import { invalidRequest, resourceMissing } from "../api/errors.ts";
import { wholeList } from "../api/listing.ts";
import type { MissingPaymentMethod } from "../subscriptions/subscription.ts";

/** What Stripe knows of a session and doesn't show, or only where it is asked for. */
export interface SessionDetails {
  /** Shown only where `line_items` is expanded. */
  lineItems: Stripe.ApiList<Stripe.LineItem>;
  subscription: {
    metadata: Stripe.Metadata;
    description: string | null;
    trialEnd: number | null;
    /** Counted from the moment at which the customer completes the session. */
    trialDays: number | null;
    missingPaymentMethod: MissingPaymentMethod;
  };
  /** The card whose owner has yet to approve the payment. */
  challenged: { card: string; email: string | null } | null;
}

/** What a session is made from. */
export interface SessionInput extends
  Pick<
    Stripe.Checkout.Session,
    | "allow_promotion_codes"
    | "billing_address_collection"
    | "cancel_url"
    | "client_reference_id"
    | "currency"
    | "customer_email"
    | "expires_at"
    | "locale"
    | "metadata"
    | "payment_method_collection"
    | "success_url"
  > {
  id: string;
  /** What is due at once. */
  amount: number;
  customer: Stripe.Customer | null;
  collectsTaxId: boolean;
  now: number;
  url: string;
}

/** A session that waits for its customer. */
export function newSession(input: SessionInput): Stripe.Checkout.Session {
  const { amount, customer, collectsTaxId, now, ...same } = input;
  const email = customer?.email ?? input.customer_email;
  return {
    ...same,
    object: "checkout.session",
    adaptive_pricing: null,
    after_expiration: null,
    allowed_payment_method_types: null,
    amount_subtotal: amount,
    amount_total: amount,
    automatic_tax: { enabled: false, liability: null, provider: null, status: null },
    client_secret: null,
    collected_information: null,
    consent: null,
    consent_collection: null,
    created: now,
    currency_conversion: null,
    custom_fields: [],
    custom_text: {
      after_submit: null,
      shipping_address: null,
      submit: null,
      terms_of_service_acceptance: null,
    },
    customer: customer?.id ?? null,
    customer_account: null,
    customer_creation: customer === null ? "always" : null,
    customer_details: email === null ? null : detailsOf(email, customer),
    discounts: [],
    integration_identifier: null,
    invoice: null,
    invoice_creation: null,
    livemode: false,
    managed_payments: null,
    mode: "subscription",
    origin_context: null,
    payment_intent: null,
    payment_link: null,
    payment_method_configuration_details: null,
    payment_method_options: {},
    payment_method_types: ["card", "sepa_debit"],
    payment_status: "unpaid",
    permissions: null,
    phone_number_collection: { enabled: false },
    recovered_from: null,
    saved_payment_method_options: null,
    setup_intent: null,
    shipping_address_collection: null,
    shipping_cost: null,
    shipping_options: [],
    status: "open",
    submit_type: null,
    subscription: null,
    tax_id_collection: { enabled: collectsTaxId, required: "never" },
    total_details: { amount_discount: 0, amount_shipping: 0, amount_tax: 0 },
    ui_mode: "hosted_page",
    wallet_options: null,
  };
}

/** What a session says of the customer who pays. */
export function detailsOf(
  email: string | null,
  customer: Stripe.Customer | null,
): Stripe.Checkout.Session.CustomerDetails {
  return {
    address: customer?.address ?? null,
    business_name: null,
    email,
    individual_name: null,
    name: customer?.name ?? null,
    phone: customer?.phone ?? null,
    tax_exempt: "none",
    tax_ids: null,
  };
}

/** The session with this id. Throws resource_missing. */
export function sessionOf(account: Account, id: string): Stripe.Checkout.Session {
  const session = account.state.sessions[id];
  if (session === undefined) throw resourceMissing("checkout.session", id);
  return session;
}

/** What stands beside a session. */
export function sessionDetailsOf(account: Account, id: string): SessionDetails {
  const details = account.state.sessionDetails[id];
  if (details === undefined) throw new Error(`The session ${id} has no details.`);
  return details;
}

/** Stores a changed session. */
export function putSession(account: Account, session: Stripe.Checkout.Session) {
  account.state.sessions[session.id] = session;
  return session;
}

/** Ends an open session without payment. Throws where it is not open. */
export function expireSession(account: Account, session: Stripe.Checkout.Session) {
  if (session.status !== "open") {
    throw invalidRequest(
      'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has ' +
        `a status of ${session.status}.`,
    );
  }
  const expired = putSession(account, { ...session, status: "expired", url: null });
  account.emit("checkout.session.expired", expired);
  return expired;
}

/** Ends the open sessions whose time is up; says whether there were any. */
export function expireDueSessions(account: Account): boolean {
  const now = account.clock.now();
  const due = Object.values(account.state.sessions)
    .filter(({ status, expires_at: at }) => status === "open" && at <= now);
  for (const session of due) expireSession(account, session);
  return due.length > 0;
}

/** Where a customer pays. */
export function payUrl(account: Account, id: string): string {
  return `${account.url}/c/pay/${id}`;
}

/** Gives open sessions their address anew, after the emulator has come to listen elsewhere. */
export function refreshUrls(account: Account): void {
  for (const session of Object.values(account.state.sessions)) {
    if (session.status === "open") {
      putSession(account, { ...session, url: payUrl(account, session.id) });
    }
  }
}

/** A session's lines as one list. */
export function lineItemList(id: string, lines: Stripe.LineItem[]) {
  return wholeList(lines, `/v1/checkout/sessions/${id}/line_items`);
}
