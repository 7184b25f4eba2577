import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import * as fc from "fast-check";
import {
  availableSeats,
  capacityMessage,
  fittingPlan,
  formatAmount,
  isAtCapacity,
  isNearCapacity,
  isOverCapacity,
  isWithinPlan,
  type Plan,
  seatCost,
  seatsUsed,
  type SeatUsage,
  usageBand,
  usagePercentage,
} from "../../supabase/functions/_shared/capacity.ts";

function usage(seatLimit: number, used: number, renewalSeats: number | null = null): SeatUsage {
  return { seatLimit, renewalSeats, membersCount: used, pendingInvitationsCount: 0 };
}

const plans: Plan[] = [
  { id: "max", minSeats: 21, maxSeats: 50, includedSeats: 21, rank: 2 },
  { id: "pro", minSeats: 1, maxSeats: 20, includedSeats: 3, rank: 1 },
  { id: "ultra", minSeats: 51, maxSeats: 100, includedSeats: 51, rank: 3 },
];

Deno.test("seatsUsed() counts members and pending invitations", () => {
  const both = { seatLimit: 5, renewalSeats: 5, membersCount: 2, pendingInvitationsCount: 1 };
  strictEqual(seatsUsed(both), 3);
});

Deno.test("availableSeats() is what is left of the limit", () => {
  strictEqual(availableSeats(usage(5, 3)), 2);
  strictEqual(availableSeats(usage(5, 5)), 0);
});

Deno.test("availableSeats() heeds a scheduled decrease", () => {
  strictEqual(availableSeats(usage(10, 6, 7)), 1);
  strictEqual(availableSeats(usage(5, 3, 9)), 2);
});

Deno.test("availableSeats() goes below zero after a fact", () => {
  strictEqual(availableSeats(usage(5, 6)), -1);
});

Deno.test("usagePercentage() says 100 only when full", () => {
  strictEqual(usagePercentage(usage(0, 0)), 0);
  strictEqual(usagePercentage(usage(0, 1)), 100);
  strictEqual(usagePercentage(usage(3, 2)), 66);
  strictEqual(usagePercentage(usage(200, 199)), 99);
  strictEqual(usagePercentage(usage(5, 6)), 120);
});

Deno.test("usageBand() turns amber at 80 percent and red when nobody can be added", () => {
  strictEqual(usageBand(usage(100, 79)), "green");
  strictEqual(usageBand(usage(100, 80)), "amber");
  strictEqual(usageBand(usage(100, 99)), "amber");
  strictEqual(usageBand(usage(100, 100)), "red");
  strictEqual(usageBand(usage(10, 4, 4)), "red");
});

Deno.test("an organization is near, at or below capacity, never two of them", () => {
  const counts = fc.nat({ max: 200 });
  fc.assert(fc.property(counts, counts, fc.option(counts), (limit, used, renewal) => {
    const state = usage(limit, used, renewal);
    ok(!(isNearCapacity(state) && isAtCapacity(state)));
    strictEqual(isAtCapacity(state), availableSeats(state) <= 0);
    strictEqual(usageBand(state) === "red", isAtCapacity(state));
    ok(!isOverCapacity(state) || isAtCapacity(state));
  }));
});

Deno.test("fittingPlan() finds the lowest plan that sells the number", () => {
  strictEqual(fittingPlan(plans, 1)?.id, "pro");
  strictEqual(fittingPlan(plans, 20)?.id, "pro");
  strictEqual(fittingPlan(plans, 21)?.id, "max");
  strictEqual(fittingPlan(plans, 100)?.id, "ultra");
  strictEqual(fittingPlan(plans, 101), null);
  strictEqual(fittingPlan(plans, 0), null);
  strictEqual(fittingPlan(plans, 2.5), null);
  strictEqual(fittingPlan(plans.map((plan) => ({ ...plan, minSeats: 1 })), 5)?.id, "pro");
});

Deno.test("isWithinPlan() includes both bounds", () => {
  const [max] = plans;
  ok(max);
  deepStrictEqual([20, 21, 50, 51].map((seats) => isWithinPlan(max, seats)), [
    false,
    true,
    true,
    false,
  ]);
});

Deno.test("seatCost() charges the base and each seat beyond the included ones", () => {
  const price = { baseAmount: 2900, seatAmount: 900, includedSeats: 3 };
  deepStrictEqual(seatCost(price, 5), {
    baseAmount: 2900,
    includedSeats: 3,
    extraSeats: 2,
    extraAmount: 1800,
    total: 4700,
  });
  strictEqual(seatCost(price, 3).total, 2900);
  strictEqual(seatCost(price, 1).total, 2900);
});

Deno.test("capacityMessage() speaks English", () => {
  strictEqual(capacityMessage(usage(0, 1), "en"), "No seats have been purchased yet.");
  strictEqual(capacityMessage(usage(5, 5), "en"), "All 5 seats are taken.");
  strictEqual(capacityMessage(usage(1, 1), "en"), "The only seat is taken.");
  strictEqual(capacityMessage(usage(5, 4), "en"), "1 of 5 seats is available.");
  strictEqual(capacityMessage(usage(5, 2), "en"), "3 of 5 seats are available.");
  strictEqual(
    capacityMessage(usage(10, 4, 4), "en"),
    "The number of seats goes down to 4 at renewal, and as many are in use.",
  );
  strictEqual(
    capacityMessage(usage(5, 7), "en"),
    "7 seats are in use, 2 more than the 5 purchased. " +
      "Nobody can be added until seats are freed or bought.",
  );
});

Deno.test("capacityMessage() speaks French", () => {
  strictEqual(capacityMessage(usage(0, 1), "fr"), "Aucun siège n’a encore été acheté.");
  strictEqual(capacityMessage(usage(5, 5), "fr"), "Les 5 sièges sont tous occupés.");
  strictEqual(capacityMessage(usage(5, 4), "fr"), "1 siège sur 5 est disponible.");
  strictEqual(
    capacityMessage(usage(10, 4, 4), "fr"),
    "Le nombre de sièges passe à 4 au renouvellement, et autant sont utilisés.",
  );
  strictEqual(capacityMessage(usage(5, 2), "fr"), "3 sièges sur 5 sont disponibles.");
});

const ZERO_DECIMAL = "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf"
  .split(" ");
const THREE_DECIMAL = "bhd jod kwd omr tnd".split(" ");

/** An amount as formatAmount() writes it in English, without what is no number. */
function written(amount: number, currency: string): string {
  return formatAmount(amount, currency, "en").replaceAll(/[^\d.,-]/g, "");
}

Deno.test("formatAmount() writes the symbol where the language does", () => {
  strictEqual(formatAmount(4700, "usd", "en"), "$47.00");
  strictEqual(formatAmount(4700, "jpy", "en"), "¥4,700");
  strictEqual(formatAmount(4700, "kwd", "en").replaceAll("\u00a0", " "), "KWD 4.700");
  strictEqual(formatAmount(-4750, "EUR", "fr").replaceAll(/\s/g, " "), "-47,50 €");
});

Deno.test("formatAmount() knows how many decimals Stripe writes a currency with, and drops none", () => {
  for (const currency of Intl.supportedValuesOf("currency").map((code) => code.toLowerCase())) {
    const expected = ZERO_DECIMAL.includes(currency)
      ? "1,234,560"
      : THREE_DECIMAL.includes(currency)
      ? "1,234.560"
      : "12,345.60";
    strictEqual(written(1_234_560, currency), expected, currency);
  }
});

Deno.test("formatAmount() writes Stripe's special cases with two decimals, and whole amounts short", () => {
  for (
    const [currency, whole, rest] of [
      ["isk", "4,700", "4,700.50"],
      ["ugx", "4,700", "4,700.50"],
      ["huf", "4,700.00", "4,700.50"],
      ["twd", "4,700.00", "4,700.50"],
      ["all", "4,700", "4,700.50"],
    ] as const
  ) {
    strictEqual(written(470_000, currency), whole);
    strictEqual(written(470_050, currency), rest);
    strictEqual(written(-470_050, currency), `-${rest}`);
  }
});
