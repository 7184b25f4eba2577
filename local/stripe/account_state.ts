import { Stripe } from "stripe";
import type { DeliveriesState } from "../emulation/delivery_records.ts";
import type { CardBehaviour } from "./customers/cards.ts";
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
  subscriptions: ById<Stripe.Subscription>;
  invoices: ById<Stripe.Invoice>;
  invoiceItems: ById<Stripe.InvoiceItem>;
  events: ById<Stripe.EventBase>;
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
    subscriptions: {},
    invoices: {},
    invoiceItems: {},
    events: {},
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

/**
 * Gives the SDK's decimal numbers their type back after the state was read from a file, where they
 * are text. Changes `value` in place.
 */
export function reviveDecimals(value: unknown): void {
  if (value === null || typeof value !== "object") return;
  for (const [name, inner] of Object.entries(value)) {
    if (name.endsWith("_decimal") && typeof inner === "string") {
      Object.assign(value, { [name]: Stripe.Decimal.from(inner) });
    } else {
      reviveDecimals(inner);
    }
  }
}
