import assert from "node:assert/strict";
import { Stripe } from "stripe";
import { share } from "../../../local/stripe/invoices/debits.ts";
import {
  type BillableItem,
  debitsAfter,
  prorations,
  wholeDebit,
} from "../../../local/stripe/invoices/proration.ts";
import {
  amountOf,
  money,
  type PricedProduct,
  priceParts,
} from "../../../local/stripe/invoices/tiers.ts";
import { periodFrom } from "../../../local/stripe/subscriptions/periods.ts";
import { prices, subscribe, withStripe } from "./emulation.ts";

const decimal = Stripe.Decimal.from;

function tier(up_to: number | null, unit: string, flat: string | null = null): Stripe.Price.Tier {
  return {
    up_to,
    unit_amount: null,
    unit_amount_decimal: decimal(unit),
    flat_amount: null,
    flat_amount_decimal: flat === null ? null : decimal(flat),
  };
}

function product(
  mode: "graduated" | "volume" | null,
  tiers: Stripe.Price.Tier[],
  unit: string | null = null,
): PricedProduct {
  const price: Stripe.Price = {
    id: "price_1",
    object: "price",
    active: true,
    billing_scheme: mode === null ? "per_unit" : "tiered",
    created: 0,
    currency: "usd",
    custom_unit_amount: null,
    livemode: false,
    lookup_key: null,
    metadata: {},
    nickname: null,
    product: "prod_1",
    recurring: {
      interval: "month",
      interval_count: 1,
      meter: null,
      trial_period_days: null,
      usage_type: "licensed",
    },
    tax_behavior: null,
    tiers_mode: mode,
    transform_quantity: null,
    type: "recurring",
    unit_amount: null,
    unit_amount_decimal: unit === null ? null : decimal(unit),
  };
  return { price, tiers, productName: "Pro" };
}

Deno.test("a price of so much a unit", () => {
  assert.equal(amountOf(product(null, [], "1050"), 4), 4200);
  assert.equal(amountOf(product(null, [], "0.5"), 3), 2);
  assert.equal(amountOf(product(null, [], "0.333"), 100), 33);
  assert.deepEqual(priceParts(product(null, [], "1050"), 4).map(({ description }) => description), [
    "4 × Pro (at $10.50 / month)",
  ]);
});

Deno.test("graduated tiers: each unit by its own tier, flat fees of the tiers reached", () => {
  const price = product("graduated", [
    tier(5, "0", "5000"),
    tier(10, "900"),
    tier(null, "700", "100"),
  ]);
  const amounts = [1, 5, 6, 10, 11, 20].map((quantity) => amountOf(price, quantity));
  assert.deepEqual(amounts, [5000, 5000, 5900, 9500, 10_300, 16_600]);
  assert.deepEqual(
    priceParts(price, 7).map((
      { description, quantity, amount },
    ) => [description, quantity, amount]),
    [
      ["5 × Pro (Tier 1 at $0.00 / month)", 5, 0],
      ["Pro (Tier 1 flat fee, $50.00 / month)", 1, 5000],
      ["2 × Pro (Tier 2 at $9.00 / month)", 2, 1800],
    ],
  );
});

Deno.test("volume tiers: all units by the tier of the whole quantity", () => {
  const price = product("volume", [tier(5, "1000"), tier(10, "900", "50"), tier(null, "700")]);
  const amounts = [1, 5, 6, 10, 11].map((quantity) => amountOf(price, quantity));
  assert.deepEqual(amounts, [1000, 5000, 5450, 9050, 7700]);
});

Deno.test("a share of an amount is exact and rounds to the nearest", () => {
  assert.equal(share(100, 1, 3), 33);
  assert.equal(share(100, 2, 3), 67);
  assert.equal(share(1, 1, 2), 1);
  assert.equal(share(9_007_199_254_740_991, 2_592_000, 2_592_000), 9_007_199_254_740_991);
  assert.equal(share(100, 0, 30), 0);
});

/** An item of 10.00 a unit in a period of 1000 seconds, billed for all of it. */
function item(id: string, quantity: number): BillableItem {
  const unbilled = {
    ...product(null, [], "1000"),
    id,
    quantity,
    period: { start: 1000, end: 2000 },
  };
  return { ...unbilled, debits: [wholeDebit(unbilled)] };
}

Deno.test("a change is prorated by the second, item by item", () => {
  const lines = (before: number[], after: number[], at: number) => {
    const items = (quantities: number[]) => quantities.map((n, index) => item(`si_${index}`, n));
    return prorations(items(before), items(after), at)
      .map(({ amount, period }) => [amount, period.start, period.end]);
  };
  assert.deepEqual(lines([2], [5], 1250), [[-1500, 1250, 2000], [3750, 1250, 2000]]);
  assert.deepEqual(lines([5], [2], 1750), [[-1250, 1750, 2000], [500, 1750, 2000]]);
  assert.deepEqual(lines([5], [5], 1250), []);
  assert.deepEqual(lines([1, 3], [1], 1500), [[-1500, 1500, 2000]]);
  assert.deepEqual(lines([1], [1, 3], 1500), [[1500, 1500, 2000]]);
  assert.deepEqual(lines([1], [2], 2500), [[0, 2000, 2000]]);
  assert.deepEqual(lines([1], [2], 0), [[-1000, 1000, 2000], [2000, 1000, 2000]]);
});

Deno.test("a credit gives back what was billed, whatever the item is set to by now", () => {
  const paid = item("si", 10);
  // Lowered without proration: the debit is still that of ten.
  const lowered = { ...item("si", 6), debits: paid.debits };
  const raised = item("si", 12);
  const due = prorations([lowered], [raised], 1500);
  assert.deepEqual(due.map(({ amount, quantity }) => [amount, quantity]), [[-5000, 10], [
    6000,
    12,
  ]]);
});

Deno.test("time that several debits billed is credited debit by debit", () => {
  const before = [item("si", 2)];
  const changed = { ...item("si", 4), debits: debitsAfter(before, item("si", 4), 1500) };
  assert.deepEqual(
    changed.debits.map(({ amount, period, until }) => [amount, period.start, until]),
    [[2000, 1000, 1500], [2000, 1500, 2000]],
  );
  const amounts = (at: number) =>
    prorations([changed], [item("si", 1)], at).map(({ amount }) => amount);
  assert.deepEqual(amounts(1750), [-1000, 250]);
  assert.deepEqual(amounts(1250), [-500, -2000, 750]);
});

Deno.test("periods keep the anchor's day and come back to it after a short month", () => {
  const at = (text: string) => Date.parse(text) / 1000;
  const text = (seconds: number) => new Date(seconds * 1000).toISOString();
  const monthly = { interval: "month", interval_count: 1 } as const;
  const anchor = at("2026-01-31T10:00:00Z");
  const ends: string[] = [];
  let start = anchor;
  for (let month = 0; month < 4; month += 1) {
    start = periodFrom(start, anchor, monthly).end;
    ends.push(text(start));
  }
  assert.deepEqual(ends, [
    "2026-02-28T10:00:00.000Z",
    "2026-03-31T10:00:00.000Z",
    "2026-04-30T10:00:00.000Z",
    "2026-05-31T10:00:00.000Z",
  ]);
  const yearly = { interval: "year", interval_count: 1 } as const;
  const leap = at("2028-02-29T00:00:00Z");
  assert.equal(text(periodFrom(leap, leap, yearly).end), "2029-02-28T00:00:00.000Z");
  const weekly = { interval: "week", interval_count: 2 } as const;
  assert.equal(periodFrom(anchor, anchor, weekly).end - anchor, 14 * 86_400);
  assert.equal(periodFrom(anchor - 5, anchor, monthly).end, anchor);
});

Deno.test("money is written with the digits of its currency", () => {
  assert.equal(money(123_456, "usd"), "$1,234.56");
  assert.equal(money(500, "jpy"), "¥500");
  assert.equal(money(500, "kwd").replaceAll("\u00a0", " "), "KWD 0.500");
  assert.equal(money(500, "isk").replaceAll("\u00a0", " "), "ISK 5");
});

Deno.test("an invoice's lines come from the tiers and add up to its total", () =>
  withStripe(async ({ stripe }) => {
    const { id, latest_invoice } = await subscribe(stripe, 5);
    assert(latest_invoice !== null && typeof latest_invoice === "object");
    const { data } = await stripe.invoices.listLineItems(latest_invoice.id);
    assert.deepEqual(data.map(({ amount, quantity }) => [quantity, amount]), [
      [3, 0],
      [1, 2000],
      [2, 1400],
    ]);
    assert.deepEqual(data.map(({ id }) => id), latest_invoice.lines.data.map(({ id }) => id));
    assert.equal(latest_invoice.total, 3400);
    const [line] = data;
    const details = line?.parent?.subscription_item_details;
    assert.equal(details?.subscription, id);
    assert.equal(details?.proration, false);
    assert.equal(line?.pricing?.price_details?.price, (await prices(stripe)).monthly);
    assert.match(latest_invoice.number ?? "", /^[A-Z0-9]{8}-0001$/);
  }));
