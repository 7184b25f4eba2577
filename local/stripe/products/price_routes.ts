import { Stripe } from "stripe";
import { z } from "zod";
import type { Account } from "../account.ts";
import { newestFirst } from "../account_state.ts";
import type { Api } from "../api/endpoint.ts";
import { invalidRequest } from "../api/errors.ts";
import { pageOf } from "../api/listing.ts";
import {
  boolean,
  decimal,
  integer,
  isWithin,
  mergeMetadata,
  metadata,
  nonNegative,
  pagination,
  paramsOf,
  text,
  timeRange,
} from "../api/params.ts";
import { changePrice, createPrice, priceOf, takeLookupKey, wholeAmount } from "./price.ts";
import { createProduct, productOf } from "./product_routes.ts";

const interval = z.enum(["day", "week", "month", "year"]);
const tier = z.strictObject({
  flat_amount: nonNegative.optional(),
  flat_amount_decimal: decimal.optional(),
  unit_amount: nonNegative.optional(),
  unit_amount_decimal: decimal.optional(),
  up_to: z.union([z.literal("inf").transform(() => null), integer]),
});
const createParams = paramsOf<Stripe.PriceCreateParams>()({
  active: boolean.default(true),
  billing_scheme: z.enum(["per_unit", "tiered"]).default("per_unit"),
  currency: text.transform((code) => code.toLowerCase()),
  lookup_key: text.optional(),
  metadata: metadata.optional(),
  nickname: text.optional(),
  product: text.optional(),
  product_data: z.strictObject({ name: text, metadata: metadata.optional() }).optional(),
  recurring: z.strictObject({
    interval,
    interval_count: integer.default(1),
    usage_type: z.enum(["licensed"]).default("licensed"),
  }).optional(),
  tiers: z.array(tier).optional(),
  tiers_mode: z.enum(["graduated", "volume"]).optional(),
  transfer_lookup_key: boolean.default(false),
  unit_amount: nonNegative.optional(),
  unit_amount_decimal: decimal.optional(),
});
const updateParams = paramsOf<Stripe.PriceUpdateParams>()({
  active: boolean.optional(),
  lookup_key: text.optional(),
  metadata: metadata.optional(),
  nickname: text.optional(),
  transfer_lookup_key: boolean.default(false),
});
const retrieveParams = paramsOf<Stripe.PriceRetrieveParams>()({});
const listParams = paramsOf<Stripe.PriceListParams>()({
  ...pagination,
  active: boolean.optional(),
  created: timeRange.optional(),
  currency: text.optional(),
  lookup_keys: z.array(text).max(10).optional(),
  product: text.optional(),
  recurring: z.strictObject({ interval: interval.optional() }).optional(),
  type: z.enum(["one_time", "recurring"]).optional(),
});

/** Endpoints of prices. */
export function priceRoutes(api: Api): void {
  api.post("/v1/prices", createParams, ({ account, params }) => create(account, params));
  api.post("/v1/prices/:id", updateParams, ({ account, params, id }) => {
    const price = priceOf(account, id);
    const { lookup_key: key = price.lookup_key } = params;
    if (key !== null) {
      takeLookupKey(account, key, { transfer: params.transfer_lookup_key, for: id });
    }
    return changePrice(account, price, {
      active: params.active ?? price.active,
      lookup_key: key,
      metadata: mergeMetadata(price.metadata, params.metadata),
      nickname: params.nickname ?? price.nickname,
    });
  });
  api.get("/v1/prices/:id", retrieveParams, ({ account, id }) => priceOf(account, id));
  api.get("/v1/prices", listParams, ({ account, params }) => {
    return pageOf(matching(account, params), params, "price", "/v1/prices");
  });
}

function matching(account: Account, params: z.output<typeof listParams>): Stripe.Price[] {
  const { active, created, currency, lookup_keys: keys, product, recurring, type } = params;
  return newestFirst(account.state.prices).filter((price) =>
    (active === undefined || price.active === active) &&
    (currency === undefined || price.currency === currency) &&
    (keys === undefined || (price.lookup_key !== null && keys.includes(price.lookup_key))) &&
    (product === undefined || price.product === product) &&
    (recurring?.interval === undefined || price.recurring?.interval === recurring.interval) &&
    (type === undefined || price.type === type) &&
    isWithin(price.created, created)
  );
}

function create(account: Account, params: z.output<typeof createParams>): Stripe.Price {
  if ((params.product === undefined) === (params.product_data === undefined)) {
    throw invalidRequest("You must specify either `product` or `product_data`.", {
      code: "parameter_missing",
      param: "product",
    });
  }
  const amounts = amountsOf(params);
  const existing = params.product === undefined
    ? undefined
    : productOf(account, params.product, "product");
  const { lookup_key: key } = params;
  if (key !== undefined) takeLookupKey(account, key, { transfer: params.transfer_lookup_key });
  const product = existing ?? createProduct(account, { name: "", ...params.product_data });
  const { recurring } = params;
  return createPrice(account, {
    ...amounts,
    active: params.active,
    currency: params.currency,
    lookupKey: key ?? null,
    metadata: mergeMetadata({}, params.metadata),
    nickname: params.nickname ?? null,
    product: product.id,
    recurring: recurring === undefined
      ? null
      : { ...recurring, meter: null, trial_period_days: null },
  });
}

function amountsOf(params: z.output<typeof createParams>) {
  const { tiers, tiers_mode: mode } = params;
  const unitAmount = amountOf(params.unit_amount, params.unit_amount_decimal);
  if (params.billing_scheme === "per_unit") {
    if (unitAmount === null) {
      throw invalidRequest("Prices require an `unit_amount` or `unit_amount_decimal`.", {
        code: "parameter_missing",
        param: "unit_amount",
      });
    }
    if (tiers !== undefined || mode !== undefined) {
      throw invalidRequest("`tiers` can be set only with `billing_scheme=tiered`.", {
        param: "tiers",
      });
    }
    return { unitAmount, tiers: null };
  }
  if (tiers === undefined || mode === undefined || unitAmount !== null) {
    throw invalidRequest("A tiered price needs `tiers` and `tiers_mode`, and no `unit_amount`.", {
      param: "tiers",
    });
  }
  const all = tiers.map((tier) => {
    const flat = amountOf(tier.flat_amount, tier.flat_amount_decimal);
    const unit = amountOf(tier.unit_amount, tier.unit_amount_decimal) ?? Stripe.Decimal.zero;
    return {
      flat_amount: wholeAmount(flat),
      flat_amount_decimal: flat,
      unit_amount: wholeAmount(unit),
      unit_amount_decimal: unit,
      up_to: tier.up_to,
    };
  });
  refuseUnordered(all);
  return { unitAmount: null, tiers: { mode, all } };
}

function refuseUnordered(tiers: Stripe.Price.Tier[]): void {
  const bounds = tiers.map(({ up_to: bound }) => bound ?? Infinity);
  const ascends = bounds.every((bound, index) => bound > (bounds[index - 1] ?? 0));
  if (ascends && bounds.at(-1) === Infinity) return;
  throw invalidRequest(
    "The tiers must ascend in `up_to`, and the last one must be `up_to=inf`.",
    { param: "tiers" },
  );
}

function amountOf(
  whole: number | undefined,
  exact: Stripe.Decimal | undefined,
): Stripe.Decimal | null {
  return exact ?? (whole === undefined ? null : Stripe.Decimal.from(whole));
}
