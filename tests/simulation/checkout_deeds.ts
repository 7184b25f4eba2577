import fc from "fast-check";
import type { StripeControl } from "../../local/stripe/control.ts";
import { clickBuy } from "../functions/checkout.ts";
import { bought, mayBuy } from "./model.ts";
import { type Deed, said, wholeOutcome } from "./step.ts";
import { cost, type Terms } from "./terms.ts";

const BOUNDS = { pro: [1, 20], max: [21, 50], ultra: [51, 100] } as const;

/** A test card that no bank pays. */
const DECLINED = "4000000000000002";

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
export type Payment = "card" | "declined card" | "debit" | "nothing";

/** Somebody clicks on "buy", and pays on Stripe's page, or does not. */
export function buy(wish: Terms, payment: Payment): Deed {
  return {
    name: `buy ${told(wish)}${payment === "card" ? "" : ` by ${payment}`}`,
    makesSense: ({ subscription }) => subscription === null,
    prepare: ({ clients, organization }, { state }) =>
      Promise.resolve(async () => {
        const click = await said(clickBuy(clients, organization, { ...wish }));
        const sessionId = click.said === "done" ? click.body?.sessionId : undefined;
        // What the customer's credit pays waits for no bank.
        const paidBy = payment === "debit" && state.credit >= cost(wish) ? "card" : payment;
        if (sessionId !== undefined) await payCheckout(clients.stripeControl, sessionId, paidBy);
        const isPaid = sessionId !== undefined && (payment === "card" || payment === "debit");
        return wholeOutcome(
          state,
          click,
          mayBuy(state, wish),
          isPaid ? bought(state, wish) : state,
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
  if (payment !== "debit") return;
  await stripe.payCheckout(sessionId, { method: "later" });
  await stripe.settleCheckout(sessionId, "succeeded");
}

/** Terms in a word. */
export function told({ plan, billingPeriod, seats }: Terms): string {
  return `${seats} ${plan} ${billingPeriod}`;
}
