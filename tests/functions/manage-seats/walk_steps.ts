import fc from "fast-check";

const HOUR = 60 * 60;

/** The plans as the catalogue sells them. */
export const PLANS = {
  pro: { rank: 1, min: 1, max: 20 },
  max: { rank: 2, min: 21, max: 50 },
  ultra: { rank: 3, min: 51, max: 100 },
} as const;

type Plan = keyof typeof PLANS;

/** What can be paid for. */
export interface Terms {
  readonly plan: Plan;
  readonly billingPeriod: "monthly" | "yearly";
  readonly seats: number;
}

/** Where a walk begins: what is bought, and when. */
export interface Beginning extends Terms {
  readonly at: number;
}

/** One step of a walk through time. */
export type Step =
  | { readonly kind: "wait"; readonly periods: number }
  /** `delay`: seconds from the preview to the change. */
  | { readonly kind: "change"; readonly wish: Terms; readonly delay: number }
  | { readonly kind: "undo" };

/** Terms that a plan sells. */
export const terms: fc.Arbitrary<Terms> = fc.constantFrom(...Object.keys(PLANS) as Plan[])
  .chain((plan) =>
    fc.record({
      plan: fc.constant(plan),
      billingPeriod: fc.constantFrom("monthly" as const, "yearly" as const),
      seats: fc.integer({ min: PLANS[plan].min, max: PLANS[plan].max }),
    })
  );

/** A step, of any kind. */
export const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("wait" as const),
      periods: fc.oneof(
        fc.double({ min: 0, max: 1.2, noNaN: true }),
        fc.constantFrom(0.999_999_9, 1, 2),
      ),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("change" as const),
      wish: fc.oneof(terms, terms.map((one) => ({ ...one, seats: one.seats + 3 }))),
      delay: fc.oneof(fc.constant(0), fc.nat(HOUR)),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("undo" as const) }) },
);
