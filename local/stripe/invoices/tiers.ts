import { Stripe } from "stripe";
import { formatAmount } from "../../../supabase/functions/_shared/capacity.ts";

/** A price with what is needed to compute with it. */
export interface PricedProduct {
  price: Stripe.Price;
  /** Empty for a price of so much a unit. */
  tiers: readonly Stripe.Price.Tier[];
  productName: string;
}

/** One line of what a quantity costs: a tier, or its flat fee. */
export interface PricePart {
  description: string;
  quantity: number;
  /** In the currency's smallest unit, rounded. */
  amount: number;
  unitAmount: Stripe.Decimal;
}

/**
 * What a quantity costs, line by line. Graduated: each unit costs what its own tier says, and every
 * tier that is reached adds its flat fee (the first one always). Volume: all units cost what the
 * tier of the whole quantity says. See Stripe's documentation of tiered pricing.
 */
export function priceParts(product: PricedProduct, quantity: number): PricePart[] {
  const { price, tiers } = product;
  if (price.tiers_mode === null) {
    return [unitPart(product, quantity, decimalOr0(price.unit_amount_decimal), "at ")];
  }
  const slices = price.tiers_mode === "volume"
    ? volumeSlice(tiers, quantity)
    : graduatedSlices(tiers, quantity);
  return slices.flatMap(({ tier, position, units }) => {
    const label = `Tier ${position} `;
    const flat = decimalOr0(tier.flat_amount_decimal);
    const parts = [
      unitPart(product, units, decimalOr0(tier.unit_amount_decimal), `${label}at `),
    ];
    if (flat.isZero()) return parts;
    const description = `${product.productName} (${label}flat fee, ${rate(flat, price)})`;
    return [...parts, { description, quantity: 1, amount: rounded(flat), unitAmount: flat }];
  });
}

/** What a quantity costs altogether. */
export function amountOf(product: PricedProduct, quantity: number): number {
  return priceParts(product, quantity).reduce((sum, { amount }) => sum + amount, 0);
}

/** The id of a price's product, however it is held. */
export function productId({ product }: Stripe.Price): string {
  return typeof product === "string" ? product : product.id;
}

/** An amount of money as people write it: `$10.00`. */
export function money(amount: number, currency: string): string {
  return formatAmount(amount, currency, "en");
}

interface Slice {
  tier: Stripe.Price.Tier;
  /** Counted from 1. */
  position: number;
  units: number;
}

function volumeSlice(tiers: readonly Stripe.Price.Tier[], quantity: number): Slice[] {
  const index = tiers.findIndex(({ up_to: bound }) => bound === null || quantity <= bound);
  const tier = tiers[index];
  return tier === undefined ? [] : [{ tier, position: index + 1, units: quantity }];
}

function graduatedSlices(tiers: readonly Stripe.Price.Tier[], quantity: number): Slice[] {
  let below = 0;
  return tiers
    .map((tier, index) => {
      const units = Math.max(0, Math.min(quantity, tier.up_to ?? Infinity) - below);
      below = tier.up_to ?? Infinity;
      return { tier, position: index + 1, units };
    })
    .filter(({ units, position }) => units > 0 || position === 1);
}

function unitPart(
  { price, productName }: PricedProduct,
  quantity: number,
  unitAmount: Stripe.Decimal,
  label: string,
): PricePart {
  return {
    description: `${quantity} × ${productName} (${label}${rate(unitAmount, price)})`,
    quantity,
    amount: rounded(unitAmount.mul(Stripe.Decimal.from(quantity))),
    unitAmount,
  };
}

function rate(amount: Stripe.Decimal, { currency, recurring }: Stripe.Price): string {
  const shown = money(amount.toNumber(), currency);
  if (recurring === null) return shown;
  const { interval, interval_count: count } = recurring;
  return count === 1 ? `${shown} / ${interval}` : `${shown} / ${count} ${interval}s`;
}

function decimalOr0(amount: Stripe.Decimal | null): Stripe.Decimal {
  return amount ?? Stripe.Decimal.zero;
}

function rounded(amount: Stripe.Decimal): number {
  return Number(amount.toFixed(0, "half-up"));
}
