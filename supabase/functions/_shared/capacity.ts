/**
 * The seat rules, pure: no I/O and no import, so that a browser can load this very file. The
 * database decides (`check_organization_capacity`); what is here shows the same to people.
 */

/** How an organization stands, in whole seats. */
export interface SeatUsage {
  /** Seats paid for in this billing period; 0 without a subscription. */
  readonly seatLimit: number;
  /** Seats that the next invoice bills; null without a subscription. */
  readonly renewalSeats: number | null;
  readonly membersCount: number;
  readonly pendingInvitationsCount: number;
}

/** What a plan sells. */
export interface Plan {
  readonly id: string;
  readonly minSeats: number;
  readonly maxSeats: number;
  /** Seats that the base amount pays for. */
  readonly includedSeats: number;
  readonly rank: number;
}

/** A price of a plan, for one billing period, in the currency's smallest unit. */
export interface PlanPrice {
  readonly baseAmount: number;
  readonly seatAmount: number;
  readonly includedSeats: number;
}

/** What a number of seats costs for one billing period, in the currency's smallest unit. */
export interface SeatCost {
  readonly baseAmount: number;
  readonly includedSeats: number;
  readonly extraSeats: number;
  readonly extraAmount: number;
  readonly total: number;
}

/** The colour to show usage in. */
export type UsageBand = "green" | "amber" | "red";

/** The languages that messages exist in. */
export type Locale = "en" | "fr";

/** From this percentage on an organization is near its capacity. */
export const NEAR_CAPACITY_PERCENTAGE = 80;

/** Seats in use: members and the invitations that hold a seat. */
export function seatsUsed(usage: SeatUsage): number {
  return usage.membersCount + usage.pendingInvitationsCount;
}

/** Seats that can still be taken; below zero after a fact took the organization past its limit. */
export function availableSeats(usage: SeatUsage): number {
  return Math.min(usage.seatLimit, usage.renewalSeats ?? usage.seatLimit) - seatsUsed(usage);
}

/** Used seats in percent of the limit, rounded down, so that 100 means full; 100 of no seats at all. */
export function usagePercentage(usage: SeatUsage): number {
  if (usage.seatLimit === 0) return seatsUsed(usage) === 0 ? 0 : 100;
  return Math.floor((seatsUsed(usage) * 100) / usage.seatLimit);
}

/** Whether nobody can be added. */
export function isAtCapacity(usage: SeatUsage): boolean {
  return availableSeats(usage) <= 0;
}

/** Whether facts from Clerk or Stripe took the organization past its limit. */
export function isOverCapacity(usage: SeatUsage): boolean {
  return seatsUsed(usage) > usage.seatLimit;
}

/** Whether seats are running out but there still are some. */
export function isNearCapacity(usage: SeatUsage): boolean {
  return !isAtCapacity(usage) && usagePercentage(usage) >= NEAR_CAPACITY_PERCENTAGE;
}

/** Red when nobody can be added, amber near capacity, else green. */
export function usageBand(usage: SeatUsage): UsageBand {
  if (isAtCapacity(usage)) return "red";
  return isNearCapacity(usage) ? "amber" : "green";
}

/** Whether a plan sells this number of seats. */
export function isWithinPlan(plan: Plan, seats: number): boolean {
  return Number.isInteger(seats) && seats >= plan.minSeats && seats <= plan.maxSeats;
}

/** The lowest plan that sells this number of seats; null when none does. */
export function fittingPlan(plans: readonly Plan[], seats: number): Plan | null {
  const fitting = plans.filter((plan) => isWithinPlan(plan, seats));
  return fitting.sort((one, other) => one.rank - other.rank)[0] ?? null;
}

/** What a number of seats costs: the base amount, and each seat beyond the included ones. */
export function seatCost(price: PlanPrice, seats: number): SeatCost {
  const extraSeats = Math.max(0, seats - price.includedSeats);
  const extraAmount = extraSeats * price.seatAmount;
  return {
    baseAmount: price.baseAmount,
    includedSeats: price.includedSeats,
    extraSeats,
    extraAmount,
    total: price.baseAmount + extraAmount,
  };
}

/**
 * How many decimals Stripe writes a currency with, where it isn't two (Stripe: supported currencies,
 * zero-decimal and three-decimal currencies). Its special cases have two: the Icelandic króna and the
 * Ugandan shilling although nothing less than a whole one can be charged, the forint and the Taiwan
 * dollar although no less can be paid out.
 */
const DECIMALS: Readonly<Record<string, number>> = Object.fromEntries([
  ..."bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split(" ").map((c) => [c, 0]),
  ..."bhd jod kwd omr tnd".split(" ").map((c) => [c, 3]),
]);

/**
 * An amount for people, in the words of a language, to the last unit.
 *
 * @param amount in the currency's smallest unit, as Stripe writes it.
 * @param currency ISO 4217, in any case.
 */
export function formatAmount(amount: number, currency: string, locale: Locale): string {
  const decimals = DECIMALS[currency.toLowerCase()] ?? 2;
  const unit = 10 ** decimals;
  return new Intl.NumberFormat(locale, {
    style: "currency",
    currency,
    // `Intl` rounds to fewer decimals for some, such as the Albanian lek.
    ...(amount % unit === 0 ? {} : { minimumFractionDigits: decimals }),
  }).format(amount / unit);
}

const messages = {
  en: {
    none: () => "No seats have been purchased yet.",
    over: (used: number, limit: number) =>
      `${used} seats are in use, ${used - limit} more than the ${limit} purchased. ` +
      "Nobody can be added until seats are freed or bought.",
    full: (limit: number) =>
      limit === 1 ? "The only seat is taken." : `All ${limit} seats are taken.`,
    decreasing: (renewal: number) =>
      `The number of seats goes down to ${renewal} at renewal, and as many are in use.`,
    left: (available: number, limit: number) =>
      available === 1
        ? `1 of ${limit} seats is available.`
        : `${available} of ${limit} seats are available.`,
  },
  fr: {
    none: () => "Aucun siège n’a encore été acheté.",
    over: (used: number, limit: number) =>
      `${used} sièges sont utilisés, ${used - limit} de plus que les ${limit} achetés. ` +
      "Personne ne peut être ajouté tant que des sièges ne sont pas libérés ou achetés.",
    full: (limit: number) =>
      limit === 1 ? "Le seul siège est occupé." : `Les ${limit} sièges sont tous occupés.`,
    decreasing: (renewal: number) =>
      `Le nombre de sièges passe à ${renewal} au renouvellement, et autant sont utilisés.`,
    left: (available: number, limit: number) =>
      available === 1
        ? `1 siège sur ${limit} est disponible.`
        : `${available} sièges sur ${limit} sont disponibles.`,
  },
};

/** One sentence for people on how many seats are left. */
export function capacityMessage(usage: SeatUsage, locale: Locale): string {
  const say = messages[locale];
  if (usage.seatLimit === 0) return say.none();
  if (isOverCapacity(usage)) return say.over(seatsUsed(usage), usage.seatLimit);
  if (seatsUsed(usage) === usage.seatLimit) return say.full(usage.seatLimit);
  if (isAtCapacity(usage)) return say.decreasing(usage.renewalSeats ?? usage.seatLimit);
  return say.left(availableSeats(usage), usage.seatLimit);
}
