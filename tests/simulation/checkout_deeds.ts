import fc from "fast-check";
import type { StripeControl } from "../../local/stripe/control.ts";
import { clickBuy } from "../functions/checkout.ts";
import { bought } from "./billing_model.ts";
import { mayBuy } from "./model.ts";
import { type Deed, said, wholeOutcome } from "./step.ts";
import type { Terms } from "./terms.ts";

const BOUNDS = { pro: [1, 20], max: [21, 50], ultra: [51, 100] } as const;

/** A test card that no bank pays. */
const DECLINED = "4000000000000002";

/** A test card whose owner has to approve: 3-D Secure. */
export const CHALLENGED = "4000002760003184";

/** Terms, nearly all of them sold, most of them small. */
export const terms: fc.Arbitrary<Terms> = fc.oneof(
  { weight: 6, arbitrary: fc.constant("pro" as const) },
  { weight: 1, arbitrary: fc.constantFrom("max" as const, "ultra" as const) },
).chain((plan) =>
  fc.record({
    plan: fc.constant(plan),
    billingPeriod: fc.oneof(
      { weight: 5, arbitrary: fc.constant("monthly" as const) },
      { weight: 1, arbitrary: fc.constant("yearly" as const) },
    ),
    seats: fc.oneof(
      { weight: 5, arbitrary: fc.integer({ min: BOUNDS[plan][0], max: BOUNDS[plan][0] + 8 }) },
      { weight: 1, arbitrary: fc.integer({ min: 1, max: BOUNDS[plan][1] + 1 }) },
    ),
  }, { noNullPrototype: true })
);

/** How a checkout is paid: by a card, by a bank debit that is heard of later, or not at all. */
export const PAYMENTS = [
  "card",
  "3-D Secure",
  "debit",
  "declined card",
  "refused 3-D Secure",
  "nothing",
] as const;

/** One of these ways. */
export type Payment = typeof PAYMENTS[number];

/** Somebody clicks on "buy", and pays on Stripe's page, or does not. */
export function buy(wish: Terms, payment: Payment): Deed {
  return {
    name: `buy ${told(wish)}${payment === "card" ? "" : ` by ${payment}`}`,
    makesSense: ({ subscription }) => subscription === null,
    prepare: ({ clients, organization }, { state }) =>
      Promise.resolve(async () => {
        const click = await said(clickBuy(clients, organization, { ...wish }));
        const sessionId = click.said === "done" ? click.body?.sessionId : undefined;
        if (sessionId !== undefined) await payCheckout(clients.stripeControl, sessionId, payment);
        const isPaid = sessionId !== undefined && isPayment(payment);
        return wholeOutcome(
          state,
          click,
          mayBuy(state, wish),
          isPaid ? bought(state, wish, payment) : state,
        );
      }),
  };
}

async function payCheckout(
  stripe: StripeControl,
  sessionId: string,
  payment: Payment,
): Promise<void> {
  if (payment === "card") await stripe.payCheckout(sessionId);
  if (payment === "declined card") await stripe.payCheckout(sessionId, { card: DECLINED });
  if (payment === "debit") await stripe.payCheckout(sessionId, { method: "later" });
  if (payment !== "3-D Secure" && payment !== "refused 3-D Secure") return;
  await stripe.payCheckout(sessionId, { card: CHALLENGED });
  await stripe.authenticateCheckout(sessionId, payment === "3-D Secure" ? "approve" : "refuse");
}

function isPayment(payment: Payment): payment is "card" | "3-D Secure" | "debit" {
  return payment === "card" || payment === "3-D Secure" || payment === "debit";
}

/** Terms in a word. */
export function told({ plan, billingPeriod, seats }: Terms): string {
  return `${seats} ${plan} ${billingPeriod}`;
}
