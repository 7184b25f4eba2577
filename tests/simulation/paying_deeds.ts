import { replaceCard } from "../functions/manage-seats/seats.ts";
import { debited, ended, givenUp, lapsed, paidUp } from "./billing_model.ts";
import { CHALLENGED } from "./checkout_deeds.ts";
import type { Card, State } from "./model.ts";
import { type Deed, factOutcome } from "./step.ts";
import { aliveSubscription } from "./views.ts";
import { passGrace, type World } from "./world.ts";

/** A fact at Stripe's, and what follows from it. */
export function stripeFact(
  name: string,
  makesSense: (state: State) => boolean,
  happen: (world: World) => Promise<unknown>,
  follow: (state: State) => State,
): Deed {
  return {
    name,
    makesSense,
    isFact: true,
    prepare: (world, { state }) =>
      Promise.resolve(async () => {
        await happen(world);
        return factOutcome(follow(state));
      }),
  };
}

const TEST_CARDS = {
  pays: "pm_card_visa",
  declines: "pm_card_chargeCustomerFail",
  asks: "pm_card_authenticationRequired",
} as const satisfies Record<Card, string>;

/** The customer's card is replaced by one that pays, or that does not. */
export function replace(card: Card): Deed {
  return stripeFact(
    `a card that ${card}`,
    ({ subscription, card: present }) => subscription !== null && present !== card,
    async (world) => {
      const { id, customer } = await aliveSubscription(world);
      const purchase = {
        customerId: String(customer),
        subscriptionId: id,
        sessionId: "",
        itemId: "",
      };
      await replaceCard(world.clients, purchase, TEST_CARDS[card]);
    },
    (state) => ({ ...state, card }),
  );
}

/** The open invoice is paid on its page, with another card, whose owner may have to approve. */
export function pay(how: "at once" | "approve" | "refuse"): Deed {
  return stripeFact(
    how === "at once" ? "pay the open invoice" : `pay the open invoice: ${how} 3-D Secure`,
    ({ subscription }) => subscription?.awaiting != null || subscription?.overdue != null,
    async (world) => {
      const { latest_invoice: invoice } = await aliveSubscription(world);
      const id = typeof invoice === "string" ? invoice : invoice?.id ?? "";
      const { stripeControl } = world.clients;
      if (how === "at once") return void await stripeControl.payHostedInvoice(id);
      await stripeControl.payHostedInvoice(id, { card: CHALLENGED });
      await stripeControl.authenticateInvoice(id, how);
    },
    (state) => how === "refuse" ? state : paidUp(state),
  );
}

/** Days later the bank says whether the debit for the first seats is paid. */
export function settleDebit(outcome: "succeeded" | "failed"): Deed {
  return stripeFact(
    `the debit has ${outcome}`,
    ({ subscription }) => subscription?.debit != null,
    async (world) => {
      const { id: subscription } = await aliveSubscription(world);
      const { stripe, stripeControl } = world.clients;
      const { data: [session] } = await stripe.checkout.sessions.list({ subscription });
      await stripeControl.settleCheckout(session?.id ?? "", outcome);
    },
    (state) => debited(state, outcome === "succeeded"),
  );
}

/** The last retry of an overdue payment has failed. */
export function giveUp(after: "canceled" | "unpaid"): Deed {
  return stripeFact(
    `the last retry fails: ${after}`,
    ({ subscription }) => subscription?.overdue?.isGivenUp === false,
    async (world) => {
      const { id } = await aliveSubscription(world);
      const { stripeControl } = world.clients;
      if (after === "unpaid") await stripeControl.markUnpaid(id);
      else await stripeControl.cancelForNonPayment(id);
    },
    after === "unpaid" ? lapsed : ended,
  );
}

/** So much time goes by that every overdue payment's grace is over. */
export function endGrace(): Deed {
  return {
    name: "the grace is over",
    makesSense: ({ subscription, isGraceOver }) => subscription?.overdue != null && !isGraceOver,
    isFact: true,
    prepare: (world, { state }) =>
      Promise.resolve(async () => {
        await passGrace(world);
        return factOutcome({ ...state, isGraceOver: true });
      }),
  };
}

/** The time to pay for a change is up. */
export function expirePayment(): Deed {
  return stripeFact(
    "the payment of a change expires",
    ({ subscription }) => subscription?.awaiting != null,
    async (world) => {
      const { id } = await aliveSubscription(world);
      await world.clients.stripeControl.expirePendingUpdate(id);
    },
    givenUp,
  );
}
