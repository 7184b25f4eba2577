import { Stripe } from "stripe";
import type { DeliveriesState } from "../emulation/delivery_records.ts";
import { Records } from "../emulation/records.ts";
import type { CardBehaviour } from "./customers/cards.ts";
import type { Debit } from "./invoices/debits.ts";
import { idOf } from "./invoices/lifecycle.ts";
import type { RetrySettings } from "./subscriptions/dunning.ts";
import type { PendingChange } from "./subscriptions/pending_update.ts";
import type { SessionDetails } from "./checkout/session.ts";
import type { SavedAnswer } from "./api/idempotency.ts";

/** Objects by id, in the order in which they were made. */
export type ById<T> = Record<string, T>;

/**
 * Everything an emulated account holds, as it is saved. Objects are kept in the SDK's own types;
 * what Stripe knows of an object but doesn't show stands beside it, under the object's id.
 */
export interface AccountState extends DeliveriesState {
  customers: ById<Stripe.Customer | Stripe.DeletedCustomer>;
  paymentMethods: ById<Stripe.PaymentMethod>;
  cardBehaviours: ById<CardBehaviour>;
  products: ById<Stripe.Product>;
  prices: ById<Stripe.Price>;
  /** Shown only where `tiers` is expanded. */
  priceTiers: ById<Stripe.Price.Tier[]>;
  sessions: ById<Stripe.Checkout.Session>;
  sessionDetails: ById<SessionDetails>;
  /** By customer. */
  subscriptions: Records<Stripe.Subscription>;
  invoices: ById<Stripe.Invoice>;
  /** The card whose owner has yet to approve the payment of an invoice, by the invoice's id. */
  challengedCards: ById<string>;
  invoiceItems: ById<Stripe.InvoiceItem>;
  /** By the id of the subscription item that was billed. */
  debits: ById<Debit[]>;
  /** What stands behind `pending_update`, by the id of its subscription. */
  pendingUpdates: ById<PendingChange>;
  portalConfigurations: ById<Stripe.BillingPortal.Configuration>;
  portalSessions: ById<Stripe.BillingPortal.Session>;
  events: Records<Stripe.EventBase>;
  /** When each event happened in real time. */
  eventsRecordedAt: ById<number>;
  testClocks: ById<Stripe.TestHelpers.TestClock>;
  retrySettings: RetrySettings;
  webhookEndpoints: ById<Stripe.WebhookEndpoint>;
  /** Shown only in the answer that creates an endpoint. */
  webhookSecrets: ById<string>;
  /** Answers by idempotency key. */
  answers: ById<SavedAnswer>;
}

/** An account in which nothing has happened. */
export function emptyAccount(): AccountState {
  return {
    customers: {},
    paymentMethods: {},
    cardBehaviours: {},
    products: {},
    prices: {},
    priceTiers: {},
    sessions: {},
    sessionDetails: {},
    subscriptions: new Records(({ customer }) => [idOf(customer)]),
    invoices: {},
    challengedCards: {},
    invoiceItems: {},
    debits: {},
    pendingUpdates: {},
    portalConfigurations: {},
    portalSessions: {},
    events: new Records(),
    eventsRecordedAt: {},
    testClocks: {},
    retrySettings: { standard: "canceled", byCustomer: {} },
    webhookEndpoints: {},
    webhookSecrets: {},
    answers: {},
    deliveries: [],
  };
}

/** Newest first, as Stripe lists. */
export function newestFirst<T>(objects: ById<T>): T[] {
  return Object.values(objects).reverse();
}

/** Gives the SDK's decimal numbers, which are text in a file, their type back: for `JSON.parse`. */
export function reviveDecimal(name: string, value: unknown): unknown {
  const isDecimal = name.endsWith("_decimal") && typeof value === "string";
  return isDecimal ? Stripe.Decimal.from(value) : value;
}
