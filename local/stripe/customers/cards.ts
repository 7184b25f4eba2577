import { Stripe } from "stripe";

/**
 * What becomes of a charge to a card:
 * - `pays`: it succeeds.
 * - `declines`: the bank refuses, though the card can be saved.
 * - `authenticates`: it succeeds while the customer is there to approve it, and not without.
 */
export type CardBehaviour = "pays" | "declines" | "authenticates";

/** How a charge went. */
export type ChargeOutcome = "succeeded" | "declined" | "requires_action";

interface TestCard {
  behaviour: CardBehaviour;
  /** The bank refuses it before it can even be saved. */
  refusedAtOnce?: true;
  /** Stripe's id for it, where a number can't be given. */
  paymentMethod?: string;
}

/** Stripe's test cards, as far as they are emulated. */
const TEST_CARDS: Record<string, TestCard> = {
  "4242424242424242": { behaviour: "pays", paymentMethod: "pm_card_visa" },
  "4000000000000002": {
    behaviour: "declines",
    refusedAtOnce: true,
    paymentMethod: "pm_card_visa_chargeDeclined",
  },
  "4000000000000341": { behaviour: "declines", paymentMethod: "pm_card_chargeCustomerFail" },
  "4000002760003184": {
    behaviour: "authenticates",
    paymentMethod: "pm_card_authenticationRequired",
  },
};

/** A test card by its number (spaces allowed) or by Stripe's id for it; undefined for any other. */
export function testCard(numberOrId: string): (TestCard & { number: string }) | undefined {
  const wanted = numberOrId.replaceAll(/\s/g, "");
  for (const [number, card] of Object.entries(TEST_CARDS)) {
    if (number === wanted || card.paymentMethod === wanted) return { ...card, number };
  }
  return undefined;
}

/** A card as Stripe shows it. */
export function cardDetails(number: string, now: number): Stripe.PaymentMethod.Card {
  return {
    brand: "visa",
    checks: { address_line1_check: null, address_postal_code_check: null, cvc_check: "pass" },
    country: "US",
    display_brand: "visa",
    exp_month: 12,
    exp_year: new Date(now * 1000).getUTCFullYear() + 3,
    fingerprint: `fingerprint${number.slice(-4)}`,
    funding: "credit",
    generated_from: null,
    last4: number.slice(-4),
    networks: { available: ["visa"], preferred: null },
    regulated_status: "unregulated",
    three_d_secure_usage: { supported: true },
    wallet: null,
  };
}
