import assert from "node:assert/strict";
import { told } from "./checkout_deeds.ts";
import { callSeats, type Change, clickChange } from "../functions/manage-seats/seats.ts";
import { cancelled, changed, edited, ended, renewed } from "./billing_model.ts";
import { given, judgeChange, type State } from "./model.ts";
import { stripeFact } from "./paying_deeds.ts";
import { type Deed, said, wholeOutcome } from "./step.ts";
import { isSame, isSold, type Terms } from "./terms.ts";
import { aliveSubscription } from "./views.ts";

/**
 * An admin changes seats, plan or period, as if from a preview of the period's first moment.
 *
 * @param wanted what to have then, or how many seats more than the next invoice will bill.
 */
export function change(wanted: Terms | number): Deed {
  return {
    name: typeof wanted === "number" ? `change by ${wanted}` : `change to ${told(wanted)}`,
    makesSense: ({ subscription, deleted, card }, { lost, held }) => {
      if (subscription === null || deleted) return false;
      const { overdue } = subscription;
      // Nobody promises what becomes of a second invoice that is not paid.
      return overdue === null || !lost && !held || card === "pays" && !overdue.isGivenUp;
    },
    prepare: async (world, { state }) => {
      const { clients, organization } = world;
      const wish = typeof wanted === "number" ? moreSeats(state, wanted) : wanted;
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

/** So many seats more than the next invoice will bill, or fewer. */
function moreSeats({ subscription }: State, more: number): Terms {
  assert(subscription !== null);
  const { plan, billingPeriod, seats } = subscription.next;
  return { plan, billingPeriod, seats: Math.max(1, seats + more) };
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

/** The period ends, paid for or not; the next one is paid by the card, or the bank declines once. */
export function renew(payment: "card" | "declined" = "card"): Deed {
  return stripeFact(
    payment === "card" ? "the period ends" : "the period ends and the bank declines",
    (state) => given(state) !== null,
    async (world) => {
      const { id } = await aliveSubscription(world);
      await world.clients.stripeControl.endPeriod(id, payment);
    },
    (state) => renewed(state, payment === "card" ? state.card : "declines"),
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
