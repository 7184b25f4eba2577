import { Stripe } from "stripe";

const KEYS_A_CALL = 10;

/** One price of the catalogue, as the tables `plans` and `plan_prices` hold it. */
export interface CatalogRow {
  /** The id of the plan. Its product is `seatkeeper_<plan>`. */
  plan: string;
  /** The plan's name, as customers read it. */
  name: string;
  billingPeriod: "monthly" | "yearly";
  lookupKey: string;
  /** ISO code, in any case. */
  currency: string;
  /** What the included seats cost together, in the currency's smallest unit. */
  baseAmount: number;
  /** What each further seat costs. */
  seatAmount: number;
  includedSeats: number;
}

/** Where a row stands in Stripe. */
export interface CatalogEntry {
  lookupKey: string;
  price: string;
  product: string;
}

/**
 * Makes the products and prices of the rows in the account that `stripe` speaks for, and leaves what
 * is right already as it is. Amounts of a Stripe price can't change, so a row with other amounts gets
 * a new price, which takes the lookup key over; running subscriptions keep the old one. Rejects with
 * the SDK's errors.
 */
export async function ensureCatalog(
  stripe: Stripe,
  rows: readonly CatalogRow[],
): Promise<CatalogEntry[]> {
  const products = new Map(rows.map(({ plan, name }) => [plan, name]));
  for (const [plan, name] of products) await ensureProduct(stripe, productIdOf(plan), name);
  const known = await pricesByKey(stripe, rows.map(({ lookupKey }) => lookupKey));
  const entries: CatalogEntry[] = [];
  for (const row of rows) {
    const price = await ensurePrice(stripe, row, known.get(row.lookupKey));
    entries.push({ lookupKey: row.lookupKey, price, product: productIdOf(row.plan) });
  }
  return entries;
}

async function ensureProduct(stripe: Stripe, id: string, name: string): Promise<void> {
  const product = await stripe.products.retrieve(id).catch(async (error: unknown) => {
    if (!hasCode(error, "resource_missing")) throw error;
    return await stripe.products.create({ id, name }).catch(async (error: unknown) => {
      // Somebody else made it at the same moment.
      if (!hasCode(error, "resource_already_exists")) throw error;
      return await stripe.products.retrieve(id);
    });
  });
  if (product.name !== name || !product.active) {
    await stripe.products.update(id, { name, active: true });
  }
}

async function ensurePrice(
  stripe: Stripe,
  row: CatalogRow,
  existing: Stripe.Price | undefined,
): Promise<string> {
  const { lookupKey } = row;
  if (existing !== undefined && fits(existing, row)) {
    if (!existing.active) await stripe.prices.update(existing.id, { active: true });
    return existing.id;
  }
  const wanted: Stripe.PriceCreateParams = {
    product: productIdOf(row.plan),
    currency: row.currency.toLowerCase(),
    billing_scheme: "tiered",
    tiers_mode: "graduated",
    tiers: tiersOf(row),
    recurring: { interval: intervalOf(row) },
    lookup_key: lookupKey,
    transfer_lookup_key: existing !== undefined,
  };
  try {
    return (await stripe.prices.create(wanted)).id;
  } catch (error) {
    // Somebody else may have made it since it was looked up; then that one serves.
    const made = (await pricesByKey(stripe, [lookupKey])).get(lookupKey);
    if (made !== undefined && fits(made, row)) return made.id;
    throw error;
  }
}

async function pricesByKey(stripe: Stripe, keys: string[]): Promise<Map<string, Stripe.Price>> {
  const found = new Map<string, Stripe.Price>();
  for (let start = 0; start < keys.length; start += KEYS_A_CALL) {
    const lookup_keys = keys.slice(start, start + KEYS_A_CALL);
    for (const active of [false, true]) {
      const page = await stripe.prices.list({ lookup_keys, active, expand: ["data.tiers"] });
      for (const price of page.data) found.set(price.lookup_key ?? "", price);
    }
  }
  return found;
}

function fits(price: Stripe.Price, row: CatalogRow): boolean {
  const wanted = tiersOf(row);
  const { tiers = [], recurring } = price;
  return price.product === productIdOf(row.plan) &&
    price.currency === row.currency.toLowerCase() &&
    recurring?.interval === intervalOf(row) && recurring.interval_count === 1 &&
    price.tiers_mode === "graduated" && tiers.length === wanted.length &&
    wanted.every((tier, index) =>
      (tiers[index]?.flat_amount ?? 0) === (tier.flat_amount ?? 0) &&
      (tiers[index]?.unit_amount ?? 0) === (tier.unit_amount ?? 0) &&
      (tiers[index]?.up_to ?? "inf") === tier.up_to
    );
}

function tiersOf(
  { baseAmount, seatAmount, includedSeats }: CatalogRow,
): Stripe.PriceCreateParams.Tier[] {
  const included = { up_to: includedSeats, flat_amount: baseAmount, unit_amount: 0 };
  const further: Stripe.PriceCreateParams.Tier = { up_to: "inf", unit_amount: seatAmount };
  return includedSeats > 0 ? [included, further] : [{ ...further, flat_amount: baseAmount }];
}

function intervalOf({ billingPeriod }: CatalogRow): "month" | "year" {
  return billingPeriod === "yearly" ? "year" : "month";
}

function productIdOf(plan: string): string {
  return `seatkeeper_${plan}`;
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Stripe.errors.StripeError && error.code === code;
}
