/** The plans that are sold: how many seats, and how many of them the base price pays for. */
const PLANS = {
  pro: { rank: 1, min: 1, max: 20, included: 3 },
  max: { rank: 2, min: 21, max: 50, included: 21 },
  ultra: { rank: 3, min: 51, max: 100, included: 51 },
} as const;

/** In cents: the base price, and each seat beyond the included ones. */
const PRICES = {
  monthly: { pro: [2900, 900], max: [18900, 800], ultra: [42900, 700] },
  yearly: { pro: [29000, 9000], max: [189000, 8000], ultra: [429000, 7000] },
} as const;

/** What can be paid for. */
export interface Terms {
  readonly plan: keyof typeof PLANS;
  readonly billingPeriod: keyof typeof PRICES;
  readonly seats: number;
}

/** What terms cost for a whole period, in cents. */
export function cost({ plan, billingPeriod, seats }: Terms): number {
  const [base, each] = PRICES[billingPeriod][plan];
  return base + each * Math.max(0, seats - PLANS[plan].included);
}

/** Whether two terms are the same. */
export function isSame(one: Terms, other: Terms): boolean {
  return one.plan === other.plan && one.seats === other.seats &&
    one.billingPeriod === other.billingPeriod;
}

/** Whether a plan has so many seats. */
export function isSold({ plan, seats }: Terms): boolean {
  return seats >= PLANS[plan].min && seats <= PLANS[plan].max;
}

/** How many plans up it is from one to the other; below zero for the way down. */
export function stepsUp(from: Terms, to: Terms): number {
  return PLANS[to.plan].rank - PLANS[from.plan].rank;
}
