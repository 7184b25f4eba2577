import { Stripe } from "stripe";
import type { Account } from "../account.ts";
import { invalidRequest, resourceMissing } from "../api/errors.ts";
import { newId } from "../api/ids.ts";
import { planOf } from "../subscriptions/subscription.ts";

/** What a price is made from; its product exists. */
export interface PriceInput {
  currency: string;
  product: string;
  unitAmount: Stripe.Decimal | null;
  /** Null for a price of so much a unit. */
  tiers: { mode: "graduated" | "volume"; all: Stripe.Price.Tier[] } | null;
  recurring: Stripe.Price.Recurring | null;
  lookupKey: string | null;
  nickname: string | null;
  active: boolean;
  metadata: Stripe.Metadata;
}

/** Makes a price and says so. */
export function createPrice(account: Account, input: PriceInput): Stripe.Price {
  const price: Stripe.Price = {
    id: newId("price"),
    object: "price",
    active: input.active,
    billing_scheme: input.tiers === null ? "per_unit" : "tiered",
    created: account.clock.now(),
    currency: input.currency,
    custom_unit_amount: null,
    livemode: false,
    lookup_key: input.lookupKey,
    metadata: input.metadata,
    nickname: input.nickname,
    product: input.product,
    recurring: input.recurring,
    tax_behavior: "unspecified",
    tiers_mode: input.tiers?.mode ?? null,
    transform_quantity: null,
    type: input.recurring === null ? "one_time" : "recurring",
    unit_amount: wholeAmount(input.unitAmount),
    unit_amount_decimal: input.unitAmount,
  };
  account.state.prices[price.id] = price;
  if (input.tiers !== null) account.state.priceTiers[price.id] = input.tiers.all;
  account.emit("price.created", price);
  return price;
}

/** Changes a price, wherever it is shown, and says what it was before. */
export function changePrice(
  account: Account,
  before: Stripe.Price,
  changes: Partial<Stripe.Price>,
): Stripe.Price {
  const after = { ...before, ...changes };
  account.state.prices[after.id] = after;
  for (const subscription of account.state.subscriptions.values()) {
    for (const item of subscription.items.data) {
      if (item.price.id === after.id) Object.assign(item, { price: after, plan: planOf(after) });
    }
  }
  account.emitChange("price.updated", before, after);
  return after;
}

/**
 * Takes a lookup key for a price that is about to get it. Throws where another price has it, unless
 * it is to be transferred: then that price loses it in the same moment.
 */
export function takeLookupKey(
  account: Account,
  key: string,
  options: { transfer: boolean; for?: string },
): void {
  const holder = Object.values(account.state.prices)
    .find(({ id, lookup_key }) => lookup_key === key && id !== options.for);
  if (holder === undefined) return;
  if (!options.transfer) {
    throw invalidRequest(`A price (\`${holder.id}\`) already uses that lookup key.`, {
      code: "resource_already_exists",
      param: "lookup_key",
    });
  }
  changePrice(account, holder, { lookup_key: null });
}

/** The price with this id. Throws resource_missing. */
export function priceOf(account: Account, id: string, param?: string): Stripe.Price {
  const price = account.state.prices[id];
  if (price === undefined) throw resourceMissing("price", id, param);
  return price;
}

/** A price that a subscription can be made of. Throws for an inactive or a one-time price. */
export function recurringPrice(account: Account, id: string, param: string): RecurringPrice {
  const price = priceOf(account, id, param);
  if (!price.active) throw invalidRequest("The price specified is inactive.", { param });
  if (isRecurring(price)) return price;
  const message = "The price specified is set to `type=one_time` but this field only accepts " +
    "prices with `type=recurring`.";
  throw invalidRequest(message, { param });
}

/** A price that is billed again and again. */
export type RecurringPrice = Stripe.Price & { recurring: Stripe.Price.Recurring };

/** Says whether a price is billed again and again. */
export function isRecurring(price: Stripe.Price): price is RecurringPrice {
  return price.recurring !== null;
}

/** The amount in the smallest unit, or null where it is finer than that. */
export function wholeAmount(amount: Stripe.Decimal | null): number | null {
  const value = amount?.toNumber();
  return value !== undefined && Number.isInteger(value) ? value : null;
}
