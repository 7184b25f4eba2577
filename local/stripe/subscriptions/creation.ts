import type { Stripe } from "stripe";
import { z } from "zod";
import type { Account } from "../account.ts";
import type { Api } from "../api/endpoint.ts";
import { cardDeclined, invalidRequest } from "../api/errors.ts";
import {
  boolean,
  integer,
  mergeMetadata,
  metadata,
  nonNegative,
  paramsOf,
  text,
} from "../api/params.ts";
import { liveCustomer } from "../customers/customer.ts";
import { charge, ownMethod } from "../customers/payment_method.ts";
import { amounts } from "../invoices/invoice.ts";
import { idOf } from "../invoices/lifecycle.ts";
import { recurringPrice } from "../products/price.ts";
import { firstAmount, type FirstPayment, type Order, startSubscription } from "./start.ts";

const DAY_SECONDS = 86_400;

/** What becomes of a trial without a payment method, as it is sent. */
export const trialSettings = z.strictObject({
  end_behavior: z.strictObject({
    missing_payment_method: z.enum(["cancel", "create_invoice", "pause"]),
  }),
});

/** The billing mode: flexible is the only one that is emulated. */
export const billingMode = z.strictObject({ type: z.enum(["flexible"]) });

const createParams = paramsOf<Stripe.SubscriptionCreateParams>()({
  billing_mode: billingMode.optional(),
  collection_method: z.enum(["charge_automatically"]).optional(),
  currency: text.optional(),
  customer: text,
  default_payment_method: text.optional(),
  description: text.optional(),
  items: z.array(z.strictObject({
    metadata: metadata.optional(),
    price: text,
    quantity: nonNegative.default(1),
  })).min(1),
  metadata: metadata.optional(),
  off_session: boolean.optional(),
  payment_behavior: z.enum(["allow_incomplete", "default_incomplete", "error_if_incomplete"])
    .default("allow_incomplete"),
  trial_end: integer.optional(),
  trial_period_days: integer.optional(),
  trial_settings: trialSettings.optional(),
});

/** The endpoint that starts a subscription without Checkout. */
export function createFromParams(api: Api): void {
  api.post("/v1/subscriptions", createParams, ({ account, params }) => {
    const order = orderOf(account, params);
    return startSubscription(account, order, firstPayment(account, order, params.payment_behavior));
  });
}

/** The end of a trial that is given as a moment or in days; null without one. */
export function trialEndOf(
  account: Account,
  { trial_end: end, trial_period_days: days }: {
    trial_end?: number | undefined;
    trial_period_days?: number | undefined;
  },
): number | null {
  if (end !== undefined) return end;
  return days === undefined ? null : account.clock.now() + days * DAY_SECONDS;
}

function orderOf(account: Account, params: z.output<typeof createParams>): Order {
  const customer = liveCustomer(account, params.customer, "customer");
  const items = params.items.map(({ price, quantity, metadata }, position) => ({
    price: recurringPrice(account, price, `items[${position}][price]`),
    quantity,
    metadata: mergeMetadata({}, metadata),
  }));
  const { default_payment_method: method, trial_settings: settings } = params;
  return {
    customer: customer.id,
    currency: oneCurrency(items, params.currency),
    items,
    metadata: mergeMetadata({}, params.metadata),
    description: params.description ?? null,
    defaultPaymentMethod: method === undefined
      ? null
      : ownMethod(account, method, customer.id, "default_payment_method"),
    trialEnd: trialEndOf(account, params),
    missingPaymentMethod: settings?.end_behavior.missing_payment_method ?? "create_invoice",
  };
}

/** The currency that all of an order's prices share. Throws where they don't. */
export function oneCurrency(items: Order["items"], wanted?: string): string {
  const currencies = new Set(items.map(({ price }) => price.currency));
  if (wanted !== undefined) currencies.add(wanted.toLowerCase());
  const [currency, another] = currencies;
  if (currency === undefined || another !== undefined) {
    throw invalidRequest("All prices of a subscription must use the same currency.");
  }
  return currency;
}

/** How the first payment goes. Throws, before anything is made, where the behaviour asks for it. */
function firstPayment(account: Account, order: Order, behaviour: string): FirstPayment {
  const customer = liveCustomer(account, order.customer);
  const due = amounts(firstAmount(account, order), customer.balance).amount_due;
  if (due === 0) return "succeeded";
  if (behaviour === "default_incomplete") return "awaited";
  const standard = customer.invoice_settings.default_payment_method;
  const method = order.defaultPaymentMethod ?? (standard === null ? null : idOf(standard));
  if (method === null) {
    throw invalidRequest(
      "This customer has no attached payment source or default payment method. Please consider " +
        "adding a default payment method.",
      { code: "resource_missing" },
    );
  }
  const outcome = charge(account, method, false);
  if (behaviour === "error_if_incomplete" && outcome !== "succeeded") {
    throw cardDeclined(outcome, "subscription");
  }
  return outcome;
}
