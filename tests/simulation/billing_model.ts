/*
 * What follows for the money and the seats, as the design tells it: from buying, paying and not
 * paying, and from the end of a period. Pure functions, and part of the model.
 */

import type { Card, State, Subscription } from "./model.ts";
import { cost, isSame, type Terms } from "./terms.ts";

/** Makes an invoice: the credit pays first, then the card; null where the card does not pay. */
function invoiced(state: State, total: number, card = state.card): State | null {
  if (total > state.credit && card !== "pays") return null;
  const credit = Math.max(0, state.credit - total);
  return { ...state, credit, charged: [...state.charged, total] };
}

function withSubscription(state: State, changes: Partial<Subscription>): State {
  const { subscription } = state;
  if (subscription === null) return state;
  return { ...state, subscription: { ...subscription, ...changes } };
}

/** The first seats are bought: paid at once, or by a debit that a bank takes days over. */
export function bought(state: State, terms: Terms, by: "card" | "3-D Secure" | "debit"): State {
  const total = cost(terms);
  // What the customer's credit pays waits for no bank.
  const isLate = by === "debit" && total > state.credit;
  const subscription = {
    paid: terms,
    next: terms,
    billed: total,
    awaiting: null,
    isBegun: !isLate,
    debit: isLate ? { total, fromCredit: state.credit } : null,
    overdue: null,
    ending: false,
  };
  return {
    ...state,
    subscription,
    // Checkout saves what it was paid with.
    card: by === "3-D Secure" ? "asks" : "pays",
    credit: Math.max(0, state.credit - total),
    charged: isLate ? state.charged : [...state.charged, total],
  };
}

/** The bank says how the debit for the first seats went. */
export function debited(state: State, isPaid: boolean): State {
  const debit = state.subscription?.debit;
  if (debit == null) return state;
  return isPaid
    ? withSubscription({ ...state, charged: [...state.charged, debit.total] }, {
      isBegun: true,
      debit: null,
    })
    : withSubscription(state, { debit: null, overdue: { ...debit, isGivenUp: false } });
}

/** Stripe has made a change: charged and counted at once, or from the next period on. */
export function changed(state: State, terms: Terms, kind: "now" | "renewal"): State {
  if (kind === "renewal") return withSubscription(state, { next: terms });
  // Of what is the case already Stripe makes no invoice.
  if (state.subscription !== null && isSame(terms, state.subscription.next)) return state;
  const total = cost(terms) - (state.subscription?.billed ?? 0);
  const paid = invoiced(state, total);
  if (paid === null) {
    const awaiting = { terms, total, fromCredit: state.credit };
    return withSubscription({ ...state, credit: 0 }, { awaiting });
  }
  return withSubscription(paid, {
    paid: terms,
    next: terms,
    billed: cost(terms),
    awaiting: null,
    // Stripe calls a subscription active by its latest invoice, whatever became of one before it.
    overdue: null,
  });
}

/** The time to pay for a change is up: it never was. */
export function givenUp(state: State): State {
  const credit = state.credit + (state.subscription?.awaiting?.fromCredit ?? 0);
  return withSubscription({ ...state, credit }, { awaiting: null });
}

/** The customer pays what is open, with another card. */
export function paidUp(state: State): State {
  const { awaiting, overdue } = state.subscription ?? { awaiting: null, overdue: null };
  const total = awaiting?.total ?? overdue?.total;
  if (total === undefined) return state;
  const paid = { ...state, charged: [...state.charged, total] };
  if (awaiting === null) return withSubscription(paid, { isBegun: true, overdue: null });
  const { terms } = awaiting;
  return withSubscription(paid, { paid: terms, next: terms, billed: cost(terms), awaiting: null });
}

/** The period ends: the next one is billed, or the subscription is over. */
export function renewed(before: State, card: Card): State {
  const state = givenUp(before);
  const { subscription } = state;
  if (subscription === null || subscription.ending) return ended(state);
  const { next } = subscription;
  const begun = withSubscription(state, { paid: next, billed: cost(next), overdue: null });
  return invoiced(begun, cost(next), card) ?? withSubscription({ ...begun, credit: 0 }, {
    overdue: { total: cost(next), fromCredit: state.credit, isGivenUp: false },
  });
}

/** The last retry of an overdue payment has failed, and the subscription stays: without seats. */
export function lapsed(state: State): State {
  const overdue = state.subscription?.overdue;
  return overdue == null
    ? state
    : withSubscription(state, { overdue: { ...overdue, isGivenUp: true } });
}

/** The subscription is over. */
export function ended(state: State): State {
  return { ...givenUp(state), subscription: null };
}

/** Somebody sets the quantity in Stripe's own screens: Stripe charges or credits, and it counts. */
export function edited(state: State, seats: number): State {
  const { subscription } = state;
  if (subscription === null) return state;
  return changed(state, { ...subscription.next, seats }, "now");
}

/** The subscription is to end with its period, or not any more. */
export function cancelled(state: State, ending: boolean): State {
  return withSubscription(state, { ending });
}
