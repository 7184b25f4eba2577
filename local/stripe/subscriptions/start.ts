import type { Stripe } from "stripe";
import type { Account } from "../account.ts";
import { newId } from "../api/ids.ts";
import type { ChargeOutcome } from "../customers/cards.ts";
import { periodLines, trialLine } from "../invoices/invoice_lines.ts";
import { createDraft, customerOf, finalize, settle } from "../invoices/lifecycle.ts";
import { amountOf } from "../invoices/tiers.ts";
import type { RecurringPrice } from "../products/price.ts";
import { periodFrom } from "./periods.ts";
import {
  billable,
  type MissingPaymentMethod,
  newItem,
  newSubscription,
  noteBilled,
  priced,
} from "./subscription.ts";

/** How long before its end a trial is announced to end. */
export const TRIAL_WARNING_SECONDS = 3 * 24 * 60 * 60;

/** What a customer subscribes to. The prices share one currency. */
export interface Order {
  customer: string;
  currency: string;
  items: { price: RecurringPrice; quantity: number; metadata: Stripe.Metadata }[];
  metadata: Stripe.Metadata;
  description: string | null;
  defaultPaymentMethod: string | null;
  trialEnd: number | null;
  missingPaymentMethod: MissingPaymentMethod;
}

/**
 * How the first payment goes: as a charge did, `processing` where the bank takes days to say, or
 * `awaited` where the customer has yet to pay. Without anything to pay it plays no part.
 */
export type FirstPayment = ChargeOutcome | "processing" | "awaited";

/** What the first invoice of an order will ask for, before any credit. */
export function firstAmount(account: Account, order: Pick<Order, "items" | "trialEnd">): number {
  if (order.trialEnd !== null) return 0;
  return order.items.reduce(
    (sum, { price, quantity }) => sum + amountOf(priced(account, price), quantity),
    0,
  );
}

/** Starts a subscription with its first invoice. */
export function startSubscription(
  account: Account,
  order: Order,
  payment: FirstPayment,
): Stripe.Subscription {
  const subscription = setUp(account, order);
  const now = account.clock.now();
  const draft = createDraft(account, {
    subscription,
    reason: "subscription_create",
    period: { start: now, end: now },
    lines: (invoice) =>
      subscription.items.data.flatMap((item) =>
        order.trialEnd === null
          ? periodLines(billable(account, item), invoice, subscription)
          : [trialLine(billable(account, item), invoice, subscription)]
      ),
  });
  const open = finalize(account, draft);
  const isCharged = payment !== "processing" && payment !== "awaited";
  const invoice = open.status === "open" && isCharged ? settle(account, open, payment) : open;
  const started = {
    ...subscription,
    latest_invoice: invoice.id,
    status: order.trialEnd !== null
      ? "trialing"
      : invoice.status === "paid" || payment === "processing"
      ? "active"
      : "incomplete",
  } satisfies Stripe.Subscription;
  account.state.subscriptions.put(started);
  account.emit("customer.subscription.created", started);
  if (order.trialEnd !== null && order.trialEnd - now <= TRIAL_WARNING_SECONDS) {
    account.emit("customer.subscription.trial_will_end", started);
  }
  return started;
}

function setUp(account: Account, order: Order): Stripe.Subscription {
  const id = newId("sub");
  const now = account.clock.now();
  const { trialEnd, customer, currency } = order;
  const anchor = trialEnd ?? now;
  const trial = trialEnd === null ? null : { start: now, end: trialEnd };
  const items = order.items.map(({ price, quantity, metadata }) => {
    const period = trial ?? periodFrom(now, anchor, price.recurring);
    return newItem({ subscription: id, price, quantity, metadata, period, now });
  });
  const subscription = newSubscription({
    ...order,
    id,
    customer,
    currency,
    items,
    trial,
    anchor,
    now,
    testClock: customerOf(account, customer).test_clock ?? null,
  });
  account.state.subscriptions.put(subscription);
  noteBilled(account, items, trial !== null);
  return subscription;
}
