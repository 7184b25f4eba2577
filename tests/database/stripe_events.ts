import type { Stripe } from "stripe";
import { newSession } from "../../local/stripe/checkout/session.ts";
import { draftOf } from "../../local/stripe/invoices/invoice.ts";
import { newItem, newSubscription } from "../../local/stripe/subscriptions/subscription.ts";
import { stripeCustomer, stripePrice } from "./stripe_catalog.ts";
import { randomId } from "./random_id.ts";

/** An event as Stripe publishes it. */
export interface StripeEvent {
  readonly id: string;
  readonly object: "event";
  readonly api_version: string;
  readonly created: number;
  readonly data: { readonly object: StripeObject };
  readonly livemode: boolean;
  readonly pending_webhooks: number;
  readonly request: Stripe.Event.Request;
  readonly type: Stripe.Event.Type;
}

type StripeObject = Stripe.Subscription | Stripe.Checkout.Session | Stripe.Invoice;

/** Whom a subscription, session or invoice is about. */
export interface Buyer {
  readonly id: string;
  readonly stripeCustomerId: string;
}

/** What a subscription says besides what is always the same. */
export interface SubscriptionState {
  readonly quantity: number;
  readonly status?: Stripe.Subscription.Status;
  readonly lookupKey?: string | null;
  readonly cancelAtPeriodEnd?: boolean;
  /** The invoice that stands in it: its id in an event, the whole of it in an answer. */
  readonly latestInvoice?: Stripe.Invoice;
}

const MONTH = 30 * 24 * 60 * 60;
const BEGINNING = Math.floor(Date.now() / 1000) - 7200;

/** A time of Stripe's: so many seconds after a moment two hours ago. */
export function second(count: number): number {
  return BEGINNING + count;
}

/** A subscription of plan pro as Stripe first shows it, made at this time. */
export function stripeSubscription(
  buyer: Buyer,
  created: number,
  metadata: Stripe.Metadata = { organization_id: buyer.id, plan: "pro", billing_period: "monthly" },
): Stripe.Subscription {
  const id = randomId("sub");
  const item = newItem({
    subscription: id,
    price: stripePrice("seatkeeper_pro_monthly"),
    quantity: 1,
    metadata: {},
    period: { start: created, end: created + MONTH },
    now: created,
  });
  return newSubscription({
    id,
    customer: buyer.stripeCustomerId,
    currency: "usd",
    items: [item],
    metadata,
    description: null,
    defaultPaymentMethod: null,
    trial: null,
    missingPaymentMethod: "create_invoice",
    testClock: null,
    anchor: created,
    now: created,
  });
}

/** A subscription in another state. Unless told otherwise it is active. */
export function inState(
  subscription: Stripe.Subscription,
  {
    quantity,
    status = "active",
    lookupKey = "seatkeeper_pro_monthly",
    cancelAtPeriodEnd = false,
    latestInvoice,
  }: SubscriptionState,
): Stripe.Subscription {
  const price = stripePrice(lookupKey);
  const items = subscription.items.data.map((item) => ({ ...item, quantity, price }));
  return {
    ...subscription,
    status,
    items: { ...subscription.items, data: items },
    cancel_at_period_end: cancelAtPeriodEnd,
    latest_invoice: latestInvoice ?? "in_first",
  };
}

/** An invoice of a subscription: its first one, unless told otherwise. */
export function stripeInvoice(
  subscription: Stripe.Subscription,
  status: "paid" | "open",
  reason: "subscription_create" | "subscription_cycle" = "subscription_create",
): Stripe.Invoice {
  const customer = stripeCustomer(String(subscription.customer));
  const period = { start: subscription.created, end: subscription.created + MONTH };
  const draft = draftOf({
    id: randomId("in"),
    customer,
    subscription,
    reason,
    lines: [],
    period,
    now: subscription.created,
  });
  return { ...draft, status };
}

/** A Checkout Session that has ended with this subscription, or without any. */
export function stripeSession(
  buyer: Buyer,
  subscription: Stripe.Subscription | null,
  ending: Partial<Stripe.Checkout.Session> & { readonly created: number },
): Stripe.Checkout.Session {
  const { created, ...rest } = ending;
  const session = newSession({
    id: randomId("cs_test"),
    amount: 4700,
    customer: stripeCustomer(buyer.stripeCustomerId),
    collectsTaxId: false,
    now: created,
    url: "https://checkout.example/pay",
    allow_promotion_codes: null,
    billing_address_collection: null,
    cancel_url: "https://acme.example/left",
    client_reference_id: buyer.id,
    currency: "usd",
    customer_email: null,
    expires_at: created + MONTH,
    locale: null,
    metadata: { organization_id: buyer.id },
    payment_method_collection: "always",
    success_url: "https://acme.example/bought",
  });
  return {
    ...session,
    status: "complete",
    payment_status: "paid",
    subscription: subscription?.id ?? null,
    ...rest,
  };
}

/** An event about an object as it was at this time. */
export function stripeEvent(
  type: Stripe.Event.Type,
  object: StripeObject,
  created: number,
): StripeEvent {
  return {
    id: randomId("evt"),
    object: "event",
    api_version: "2026-10-28.endive",
    created,
    data: { object },
    livemode: false,
    pending_webhooks: 1,
    request: { id: null, idempotency_key: null },
    type,
  };
}
