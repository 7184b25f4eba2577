/*
 * The rules of Seatkeeper, as its design tells them, in pure functions: what there is, what may be
 * asked for, and what follows. Nothing here knows how the code does it.
 */

import { cost, isSame, isSold, stepsUp, type Terms } from "./terms.ts";

/** An invoice that nobody has paid yet, and how much of it the customer's credit has paid. */
interface OpenInvoice {
  readonly total: number;
  readonly fromCredit: number;
}

/** A subscription that is alive. */
export interface Subscription {
  /** Paid for in this period. */
  readonly paid: Terms;
  /** What the next invoice will bill. */
  readonly next: Terms;
  /** What this period has been billed, in cents. */
  readonly billed: number;
  /** A change that counts as soon as it is paid. */
  readonly awaiting: (OpenInvoice & { readonly terms: Terms }) | null;
  /** This period's own invoice, while it is unpaid. */
  readonly overdue: OpenInvoice | null;
  /** It ends with this period. */
  readonly ending: boolean;
}

/** How one organization stands. People are known by their addresses. */
export interface State {
  readonly members: readonly string[];
  readonly invited: readonly string[];
  readonly requested: readonly string[];
  readonly subscription: Subscription | null;
  readonly card: "pays" | "declines";
  /** The invoices that are paid, in cents, and what the customer has to his credit. */
  readonly charged: readonly number[];
  readonly credit: number;
  readonly deleted: boolean;
}

/** An organization with nobody but its owner. */
export function founded(owner: string): State {
  return {
    members: [owner],
    invited: [],
    requested: [],
    subscription: null,
    card: "pays",
    charged: [],
    credit: 0,
    deleted: false,
  };
}

/** Seats used. */
export function used({ members, invited }: State): number {
  return members.length + invited.length;
}

/** Seats that the next person can take: the paid ones, or the fewer ones that come. */
export function available(state: State): number {
  const { subscription } = state;
  if (subscription === null) return 0 - used(state);
  const { paid, next, awaiting } = subscription;
  return Math.min(paid.seats, next.seats, awaiting?.terms.seats ?? next.seats) - used(state);
}

/** Whether so many more people may be added. */
export function mayAdd(state: State, people: number): boolean {
  return !state.deleted && available(state) >= people;
}

/** Whether a first subscription may be bought. */
export function mayBuy(state: State, wish: Terms): boolean {
  return !state.deleted && state.subscription === null && isSold(wish) &&
    wish.seats >= used(state);
}

/** What a change would be: charged now, free at renewal, or refused. */
export function judgeChange(state: State, wish: Terms): "now" | "renewal" | "refused" {
  const { subscription } = state;
  if (state.deleted || subscription === null || subscription.awaiting !== null) return "refused";
  const { paid, next, overdue } = subscription;
  if (!isSold(wish) || wish.seats < used(state) || isSame(wish, next)) return "refused";
  const step = stepsUp(paid, wish);
  const isFree = step <= 0 && wish.seats <= paid.seats &&
    wish.billingPeriod === paid.billingPeriod;
  if (isFree) return "renewal";
  return step < 0 || !isSame(paid, next) || overdue !== null ? "refused" : "now";
}

/** Makes an invoice: the credit pays first, then the card; null where the card does not pay. */
function invoiced(state: State, total: number): State | null {
  if (total > state.credit && state.card === "declines") return null;
  const credit = Math.max(0, state.credit - total);
  return { ...state, credit, charged: [...state.charged, total] };
}

function withSubscription(state: State, changes: Partial<Subscription>): State {
  const { subscription } = state;
  if (subscription === null) return state;
  return { ...state, subscription: { ...subscription, ...changes } };
}

/** The first seats are bought and paid. */
export function bought(state: State, terms: Terms): State {
  const subscription = {
    paid: terms,
    next: terms,
    billed: cost(terms),
    awaiting: null,
    overdue: null,
    ending: false,
  };
  // Checkout saves the card that it was paid with.
  return invoiced({ ...state, subscription, card: "pays" }, cost(terms)) ?? state;
}

/** Stripe has made a change: charged and counted at once, or from the next period on. */
export function changed(state: State, terms: Terms, kind: "now" | "renewal"): State {
  if (kind === "renewal") return withSubscription(state, { next: terms });
  const total = cost(terms) - (state.subscription?.billed ?? 0);
  const paid = invoiced(state, total);
  return paid === null
    ? withSubscription({ ...state, credit: 0 }, {
      awaiting: { terms, total, fromCredit: state.credit },
    })
    : withSubscription(paid, { paid: terms, next: terms, billed: cost(terms), awaiting: null });
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
  if (awaiting === null) return withSubscription(paid, { overdue: null });
  const { terms } = awaiting;
  return withSubscription(paid, { paid: terms, next: terms, billed: cost(terms), awaiting: null });
}

/** The period ends: the next one is billed, or the subscription is over. */
export function renewed(before: State): State {
  const state = givenUp(before);
  const { subscription } = state;
  if (subscription === null || subscription.ending) return ended(state);
  const { next } = subscription;
  const begun = withSubscription(state, { paid: next, billed: cost(next) });
  return invoiced(begun, cost(next)) ?? withSubscription({ ...begun, credit: 0 }, {
    overdue: { total: cost(next), fromCredit: state.credit },
  });
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

/** People are on the way in. */
export function invited(state: State, people: readonly string[]): State {
  return { ...state, invited: [...state.invited, ...people] };
}

/** Somebody is in: whoever was invited takes that seat along. */
export function joined(state: State, person: string): State {
  const without = uninvited({ ...state, requested: leaveOut(state.requested, person) }, person);
  return { ...without, members: [...leaveOut(state.members, person), person] };
}

/** An invitation has ended. */
export function uninvited(state: State, person: string): State {
  return { ...state, invited: leaveOut(state.invited, person) };
}

/** Somebody is out. */
export function left(state: State, person: string): State {
  return { ...state, members: leaveOut(state.members, person) };
}

/** Somebody asks to join, or is turned down. */
export function requested(state: State, person: string, open: boolean): State {
  const others = leaveOut(state.requested, person);
  return { ...state, requested: open ? [...others, person] : others };
}

/** The organization is gone, and everybody's seat with it. */
export function deleted(state: State): State {
  return { ...state, members: [], invited: [], requested: [], deleted: true };
}

function leaveOut(people: readonly string[], person: string): string[] {
  return people.filter((one) => one !== person);
}
