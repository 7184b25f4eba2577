import { CHALLENGED, told } from "./checkout_deeds.ts";
import {
  callSeats,
  type Change,
  clickChange,
  replaceCard,
} from "../functions/manage-seats/seats.ts";
import {
  cancelled,
  changed,
  debited,
  edited,
  ended,
  givenUp,
  lapsed,
  paidUp,
  renewed,
} from "./billing_model.ts";
import { type Card, given, judgeChange, type State } from "./model.ts";
import { type Deed, factOutcome, said, wholeOutcome } from "./step.ts";
import { isSame, isSold, type Terms } from "./terms.ts";
import { aliveSubscription } from "./views.ts";
import { passGrace, type World } from "./world.ts";

/** An admin changes seats, plan or period, as if from a preview of the period's first moment. */
export function change(wish: Terms): Deed {
  return {
    name: `change to ${told(wish)}`,
    makesSense: ({ subscription, deleted }) => subscription !== null && !deleted,
    prepare: async (world, { state }) => {
      const { clients, organization } = world;
      const item = (await aliveSubscription(world)).items.data[0];
      const start = item?.current_period_start ?? 0;
      // A renewal that was played has moved the period into the future, where no preview is from.
      const prorationDate = start * 1000 > Date.now()
        ? {}
        : { prorationDate: new Date(start * 1000).toISOString() };
      return async () => {
        const answer = await said<Change>(
          clickChange(clients, organization, { ...wish, ...prorationDate }),
        );
        const judged = judgeChange(state, wish);
        const kind = answer.body?.kind;
        const after = ["now", "renewal"].filter((one) => kind === undefined || one === kind)
          .map((one) => changed(state, wish, one as "now" | "renewal"));
        const outcome = wholeOutcome(state, answer, judged !== "refused", ...after);
        const isJudgedAlike = answer.said !== "done" || kind === judged;
        return { ...outcome, asDesigned: outcome.asDesigned && isJudgedAlike };
      };
    },
  };
}

/** An admin takes a scheduled decrease back. */
export function undo(): Deed {
  return {
    name: "take the decrease back",
    makesSense: ({ subscription, deleted }) => subscription !== null && !deleted,
    prepare: ({ clients, organization }, { state }) =>
      Promise.resolve(async () => {
        const answer = await said(
          callSeats(clients, organization, "DELETE", "/scheduled-change"),
        );
        const { subscription } = state;
        if (subscription === null) return wholeOutcome(state, answer, false, state);
        const { paid, next, awaiting } = subscription;
        const isScheduled = given(state) !== null && !isSame(paid, next) && awaiting === null;
        return wholeOutcome(state, answer, isScheduled, changed(state, paid, "renewal"));
      }),
  };
}

/** A fact at Stripe's, and what follows from it. */
function stripeFact(
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

/** The period ends, whether or not it has been paid for. */
export function renew(): Deed {
  return stripeFact(
    "the period ends",
    (state) => given(state) !== null,
    async (world) => {
      const { id } = await aliveSubscription(world);
      await world.clients.stripeControl.endPeriod(id);
    },
    renewed,
  );
}

/** The customer cancels at the period's end, or thinks better of it. */
export function cancel(ending: boolean): Deed {
  return stripeFact(
    ending ? "cancel at the period's end" : "go on after all",
    ({ subscription }) => subscription?.ending === !ending && subscription.awaiting === null,
    async (world) => {
      const { id } = await aliveSubscription(world);
      await world.clients.stripe.subscriptions.update(id, { cancel_at_period_end: ending });
    },
    (state) => cancelled(state, ending),
  );
}

/** Somebody ends the subscription at once in Stripe's dashboard. */
export function end(): Deed {
  return stripeFact(
    "end the subscription",
    ({ subscription }) => subscription !== null,
    async (world) => {
      await world.clients.stripe.subscriptions.cancel((await aliveSubscription(world)).id);
    },
    ended,
  );
}

/** Somebody sets quantities in Stripe's dashboard, from the period's first moment on. */
export function edit(quantities: readonly number[]): Deed {
  return stripeFact(
    `set ${quantities.join(" then ")} seats at Stripe`,
    ({ subscription, card }) =>
      subscription?.isBegun === true && card === "pays" && subscription.awaiting === null &&
      subscription.overdue === null && subscription.next.seats !== quantities[0] &&
      // Set by hand in the end, the number of a scheduled decrease looks like that decrease.
      (isSame(subscription.paid, subscription.next) ||
        subscription.next.seats !== quantities.at(-1)) &&
      // Nobody promises what becomes of a plan with a number of seats that it does not have.
      quantities.every((seats) => isSold({ ...subscription.next, seats })),
    async (world) => {
      const { id, items: { data: [item] } } = await aliveSubscription(world);
      for (const quantity of quantities) {
        await world.clients.stripe.subscriptions.update(id, {
          items: [{ id: item?.id ?? "", quantity }],
          proration_behavior: "always_invoice",
          proration_date: item?.current_period_start ?? 0,
        });
      }
    },
    (state) => quantities.reduce(edited, state),
  );
}
