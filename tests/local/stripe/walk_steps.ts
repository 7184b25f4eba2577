import fc from "fast-check";
import type { CatalogRow } from "../../../local/stripe/catalog.ts";

const HOUR = 60 * 60;
const DAY = 24 * HOUR;

/** Three plans, monthly and yearly, with amounts that don't divide evenly. */
export const PLANS: CatalogRow[] = [
  { plan: "pro", base: 2901, seat: 733, included: 3 },
  { plan: "max", base: 11_907, seat: 611, included: 20 },
  { plan: "ultra", base: 0, seat: 557, included: 0 },
].flatMap(({ plan, base, seat, included }) =>
  (["monthly", "yearly"] as const).map((billingPeriod) => ({
    plan,
    name: plan,
    billingPeriod,
    lookupKey: `walk_${plan}_${billingPeriod}`,
    currency: "usd",
    baseAmount: base * (billingPeriod === "yearly" ? 10 : 1),
    seatAmount: seat * (billingPeriod === "yearly" ? 10 : 1),
    includedSeats: included,
  }))
);

/** A price of the walk, and what a quantity of it costs by the catalogue alone. */
export interface WalkPrice {
  id: string;
  row: CatalogRow;
}

/** One step of a walk through time. */
export type Step =
  | { kind: "wait"; seconds: number }
  | {
    kind: "change";
    price: number;
    seats: number;
    behaviour: "always_invoice" | "create_prorations" | "none";
    /** What becomes of the payment: it succeeds, comes later, or never. */
    payment: "paid" | "later" | "never";
    /** Between the preview and the change. */
    delay: number;
  };

/** Any step. */
export const steps: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant("wait" as const), seconds: fc.integer({ min: 1, max: 50 * DAY }) }),
  fc.record({
    kind: fc.constant("change" as const),
    price: fc.nat(PLANS.length - 1),
    seats: fc.integer({ min: 1, max: 60 }),
    behaviour: fc.constantFrom("always_invoice", "always_invoice", "create_prorations", "none"),
    payment: fc.constantFrom("paid", "paid", "later", "never"),
    delay: fc.nat(HOUR),
  }),
);
