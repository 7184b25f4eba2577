/*
 * Events as Stripe publishes them (API reference: Event, Checkout Session, Subscription and Invoice
 * objects), about objects that the Stripe of the stack has never heard of.
 */

/** What the events of a purchase are about. */
export interface PublishedPurchase {
  readonly organizationId: string;
  readonly customerId: string;
  readonly subscriptionId: string;
  /** Seconds since 1970 at which it was bought. */
  readonly at: number;
}

/** An event of Stripe's. */
export interface PublishedEvent {
  readonly id: string;
  readonly type: string;
  readonly created: number;
  readonly data: { readonly object: Readonly<Record<string, unknown>> };
}

/** An event about an object, `seconds` after the purchase. */
export function publishedEvent(
  { at }: PublishedPurchase,
  type: string,
  object: Readonly<Record<string, unknown>>,
  seconds = 0,
): PublishedEvent & Readonly<Record<string, unknown>> {
  return {
    id: `evt_${randomToken()}`,
    object: "event",
    api_version: "2026-10-28.endive",
    created: at + seconds,
    data: { object },
    livemode: false,
    pending_webhooks: 1,
    request: { id: `req_${randomToken()}`, idempotency_key: crypto.randomUUID() },
    type,
  };
}

/** The Checkout Session of a purchase, completed and paid. */
export function publishedSession(
  purchase: PublishedPurchase,
  changes: Readonly<Record<string, unknown>> = {},
): Readonly<Record<string, unknown>> {
  return {
    id: `cs_test_${randomToken()}`,
    object: "checkout.session",
    amount_subtotal: 4700,
    amount_total: 4700,
    client_reference_id: purchase.organizationId,
    created: purchase.at,
    currency: "usd",
    customer: purchase.customerId,
    customer_details: { email: "jenny.rosen@example.com", name: "Jenny Rosen" },
    invoice: `in_${purchase.subscriptionId}`,
    livemode: false,
    metadata: { organization_id: purchase.organizationId, plan: "pro" },
    mode: "subscription",
    payment_status: "paid",
    status: "complete",
    subscription: purchase.subscriptionId,
    url: null,
    ...changes,
  };
}

/** The subscription of a purchase: active, as it began, but for what is changed. */
export function publishedSubscription(
  purchase: PublishedPurchase,
  quantity: number,
  changes: Readonly<Record<string, unknown>> = {},
): Readonly<Record<string, unknown>> {
  return {
    id: purchase.subscriptionId,
    object: "subscription",
    billing_cycle_anchor: purchase.at,
    billing_mode: { type: "flexible" },
    cancel_at: null,
    cancel_at_period_end: false,
    canceled_at: null,
    collection_method: "charge_automatically",
    created: purchase.at,
    currency: "usd",
    customer: purchase.customerId,
    ended_at: null,
    items: {
      object: "list",
      data: [publishedItem(purchase, quantity)],
      has_more: false,
      total_count: 1,
      url: `/v1/subscription_items?subscription=${purchase.subscriptionId}`,
    },
    latest_invoice: `in_${purchase.subscriptionId}`,
    livemode: false,
    metadata: { organization_id: purchase.organizationId, plan: "pro" },
    start_date: purchase.at,
    status: "active",
    trial_end: null,
    ...changes,
  };
}

function publishedItem({ subscriptionId, at }: PublishedPurchase, quantity: number) {
  return {
    id: `si_${subscriptionId}`,
    object: "subscription_item",
    created: at,
    current_period_end: at + 30 * 86_400,
    current_period_start: at,
    metadata: {},
    price: {
      id: "price_1MoBy5LkdIwHu7ixZhnattbh",
      object: "price",
      active: true,
      billing_scheme: "tiered",
      currency: "usd",
      lookup_key: "seatkeeper_pro_monthly",
      product: "prod_NZKdYqrwEYx6iK",
      recurring: { interval: "month", interval_count: 1, usage_type: "licensed" },
      tiers_mode: "graduated",
      type: "recurring",
    },
    quantity,
    subscription: subscriptionId,
  };
}

/** The first invoice of a purchase, paid. */
export function publishedInvoice(
  { customerId, subscriptionId, organizationId, at }: PublishedPurchase,
): Readonly<Record<string, unknown>> {
  return {
    id: `in_${subscriptionId}`,
    object: "invoice",
    amount_due: 4700,
    amount_paid: 4700,
    billing_reason: "subscription_create",
    created: at,
    currency: "usd",
    customer: customerId,
    livemode: false,
    parent: {
      quote_details: null,
      subscription_details: {
        metadata: { organization_id: organizationId, plan: "pro" },
        subscription: subscriptionId,
      },
      type: "subscription_details",
    },
    status: "paid",
    total: 4700,
  };
}

/** Letters and digits that nobody else uses. */
export function randomToken(): string {
  return crypto.randomUUID().replaceAll("-", "");
}
