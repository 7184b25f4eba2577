import type { Stripe } from "stripe";
import type { Account } from "../account.ts";
import type { AccountState } from "../account_state.ts";
import { resourceMissing } from "../api/errors.ts";
import { newId } from "../api/ids.ts";
import { wholeList } from "../api/listing.ts";
import { idOf } from "../invoices/lifecycle.ts";
import { type BillableItem, type Period, wholeDebit } from "../invoices/proration.ts";
import { type PricedProduct, productId } from "../invoices/tiers.ts";

const ITEM_PREFIX = "si";

/** What a subscription item is made from. */
export interface ItemInput {
  subscription: string;
  price: Stripe.Price;
  quantity: number;
  metadata: Stripe.Metadata;
  period: Period;
  now: number;
}

/** What a subscription is made from. */
export interface SubscriptionInput {
  id: string;
  customer: string;
  currency: string;
  items: Stripe.SubscriptionItem[];
  metadata: Stripe.Metadata;
  description: string | null;
  defaultPaymentMethod: string | null;
  trial: Period | null;
  missingPaymentMethod: MissingPaymentMethod;
  anchor: number;
  now: number;
  testClock: Stripe.Subscription["test_clock"];
}

/** What becomes of a subscription whose trial ends without a payment method. */
export type MissingPaymentMethod = "cancel" | "create_invoice" | "pause";

/** A subscription that nothing has been paid for yet. */
export function newSubscription(input: SubscriptionInput): Stripe.Subscription {
  const { id, items, trial, now } = input;
  return {
    id,
    object: "subscription",
    application: null,
    application_fee_percent: null,
    automatic_tax: { disabled_reason: null, enabled: false, liability: null },
    billing_cycle_anchor: input.anchor,
    billing_cycle_anchor_config: null,
    billing_mode: { flexible: { proration_discounts: "included" }, type: "flexible" },
    billing_schedules: [],
    billing_thresholds: null,
    cancel_at: null,
    cancel_at_period_end: false,
    canceled_at: null,
    cancellation_details: { comment: null, feedback: null, feedback_option: null, reason: null },
    collection_method: "charge_automatically",
    created: now,
    currency: input.currency,
    customer: input.customer,
    customer_account: null,
    days_until_due: null,
    default_payment_method: input.defaultPaymentMethod,
    default_source: null,
    default_tax_rates: [],
    description: input.description,
    discounts: [],
    ended_at: null,
    invoice_settings: {
      account_tax_ids: null,
      custom_fields: null,
      description: null,
      footer: null,
      issuer: { type: "self" },
    },
    items: wholeList(items, `/v1/subscription_items?subscription=${id}`),
    latest_invoice: null,
    livemode: false,
    managed_payments: null,
    metadata: input.metadata,
    next_pending_invoice_item_invoice: null,
    on_behalf_of: null,
    pause_collection: null,
    payment_settings: {
      payment_method_options: null,
      payment_method_types: null,
      save_default_payment_method: "off",
    },
    pending_invoice_item_interval: null,
    pending_setup_intent: null,
    pending_update: null,
    schedule: null,
    start_date: now,
    status: trial === null ? "incomplete" : "trialing",
    test_clock: input.testClock,
    transfer_data: null,
    trial_end: trial?.end ?? null,
    trial_settings: {
      end_behavior: {
        billing_cycle_anchor: null,
        missing_payment_method: input.missingPaymentMethod,
      },
    },
    trial_start: trial?.start ?? null,
  };
}

/** One item of a subscription. */
export function newItem(input: ItemInput): Stripe.SubscriptionItem {
  const { price, period } = input;
  return {
    id: newId(ITEM_PREFIX),
    object: "subscription_item",
    billing_thresholds: null,
    created: input.now,
    current_period_end: period.end,
    current_period_start: period.start,
    current_trial: null,
    discounts: [],
    metadata: input.metadata,
    plan: planOf(price),
    price,
    quantity: input.quantity,
    subscription: input.subscription,
    tax_rates: [],
  };
}

/** A price in the older form that subscription items still carry beside it. */
export function planOf(price: Stripe.Price): Stripe.Plan {
  return {
    id: price.id,
    object: "plan",
    active: price.active,
    amount: price.unit_amount,
    amount_decimal: price.unit_amount_decimal,
    billing_scheme: price.billing_scheme,
    created: price.created,
    currency: price.currency,
    interval: price.recurring?.interval ?? "month",
    interval_count: price.recurring?.interval_count ?? 1,
    livemode: false,
    metadata: price.metadata,
    meter: null,
    nickname: price.nickname,
    product: productId(price),
    tiers_mode: price.tiers_mode,
    transform_usage: null,
    trial_period_days: null,
    usage_type: "licensed",
  };
}

/** The subscription with this id. Throws resource_missing. */
export function subscriptionOf(account: Account, id: string, param?: string): Stripe.Subscription {
  const subscription = account.state.subscriptions.get(id);
  if (subscription === undefined) throw resourceMissing("subscription", id, param);
  return subscription;
}

/** A customer's subscriptions that have not ended, newest first. */
export function livingSubscriptions(
  { subscriptions }: AccountState,
  customer: string,
): Stripe.Subscription[] {
  return subscriptions.of(customer).reverse().filter(({ ended_at: end }) => end === null);
}

/** The subscription with this item, if the id is that of an item at all. */
export function subscriptionWithItem(
  { subscriptions }: AccountState,
  id: string,
): Stripe.Subscription | undefined {
  if (!id.startsWith(ITEM_PREFIX)) return undefined;
  return subscriptions.values().find(({ items }) => items.data.some((item) => item.id === id));
}

/** Changes a subscription and says what it was before, in the event of this type. */
export function changeSubscription(
  account: Account,
  before: Stripe.Subscription,
  changes: Partial<Stripe.Subscription>,
): Stripe.Subscription {
  const after = { ...before, ...changes };
  account.state.subscriptions.put(after);
  account.emitChange("customer.subscription.updated", before, after);
  return after;
}

/** An item with what is needed to compute its bill. */
export function billable(account: Account, item: Stripe.SubscriptionItem): BillableItem {
  const billed = {
    ...priced(account, item.price),
    id: item.id,
    quantity: item.quantity ?? 0,
    period: { start: item.current_period_start, end: item.current_period_end },
  };
  // A state file from before debits were kept knows none.
  return { ...billed, debits: account.state.debits[item.id] ?? [wholeDebit(billed)] };
}

/** Notes that items are billed for their whole period: at their price or, in a trial, for nothing. */
export function noteBilled(
  account: Account,
  items: readonly Stripe.SubscriptionItem[],
  isTrial = false,
): void {
  for (const item of items) {
    account.state.debits[item.id] = [wholeDebit(billable(account, item), isTrial)];
  }
}

/** A price with what is needed to compute with it. */
export function priced(account: Account, price: Stripe.Price): PricedProduct {
  return {
    price,
    tiers: account.state.priceTiers[price.id] ?? [],
    productName: account.state.products[productId(price)]?.name ?? "",
  };
}

/** What a subscription's invoices are charged to: its own choice, or the customer's. */
export function paymentMethodOf(account: Account, subscription: Stripe.Subscription) {
  const own = subscription.default_payment_method;
  if (own !== null) return idOf(own);
  const customer = account.state.customers[idOf(subscription.customer)];
  const standard = customer?.deleted ? null : customer?.invoice_settings.default_payment_method;
  return standard === null || standard === undefined ? null : idOf(standard);
}
