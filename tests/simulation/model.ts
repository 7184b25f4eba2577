/*
 * The rules of Seatkeeper, as its design tells them, in pure functions: what there is, what may be
 * asked for, and what follows. Nothing here knows how the code does it.
 */

import { isSame, isSold, stepsUp, type Terms } from "./terms.ts";

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
  /** Its first invoice is paid: before that it gives no seats. */
  readonly isBegun: boolean;
  /** Its first invoice, while a bank takes days over it. */
  readonly debit: OpenInvoice | null;
  /** This period's own invoice, which nobody has paid; in the end Stripe gives up trying. */
  readonly overdue: (OpenInvoice & { readonly isGivenUp: boolean }) | null;
  /** It ends with this period. */
  readonly ending: boolean;
}

/** What becomes of a charge to the saved card: "asks" is 3-D Secure, without anybody to answer. */
export type Card = "pays" | "declines" | "asks";

/** How one organization stands. People are known by their addresses. */
export interface State {
  readonly members: readonly string[];
  readonly invited: readonly string[];
  readonly requested: readonly string[];
  /** Who, in or out, has a role that takes no seat. */
  readonly seatless: readonly string[];
  readonly subscription: Subscription | null;
  readonly card: Card;
  /** The invoices that are paid, in cents, and what the customer has to his credit. */
  readonly charged: readonly number[];
  readonly credit: number;
  /** The grace in which an overdue payment keeps nobody out. */
  readonly isGraceOver: boolean;
  readonly deleted: boolean;
}

/** An organization with nobody but its owner. */
export function founded(owner: string): State {
  return {
    members: [owner],
    invited: [],
    requested: [],
    seatless: [],
    subscription: null,
    card: "pays",
    charged: [],
    credit: 0,
    isGraceOver: false,
    deleted: false,
  };
}

/** Seats used. */
export function used({ members, invited, seatless }: State): number {
  return [...members, ...invited].filter((person) => !seatless.includes(person)).length;
}

/** What a subscription gives in this period, null when that is nothing. */
export function given({ subscription }: State): Terms | null {
  if (subscription === null) return null;
  const { isBegun, overdue, paid } = subscription;
  return isBegun && overdue?.isGivenUp !== true ? paid : null;
}

/** Seats that are left: of the paid ones, or of the fewer ones that come. */
export function available(state: State): number {
  const paid = given(state);
  const { next, awaiting } = state.subscription ?? {};
  if (paid === null || next === undefined) return 0 - used(state);
  return Math.min(paid.seats, next.seats, awaiting?.terms.seats ?? next.seats) - used(state);
}

/** Whether so many more people may be added. */
export function mayAdd(state: State, people: number): boolean {
  const isOverdue = state.subscription?.overdue != null && state.isGraceOver;
  return !state.deleted && !isOverdue && available(state) >= people;
}

/** Whether a first subscription may be bought. */
export function mayBuy(state: State, wish: Terms): boolean {
  return !state.deleted && state.subscription === null && isSold(wish) &&
    wish.seats >= used(state);
}

/** What a change would be: charged now, free at renewal, or refused. */
export function judgeChange(state: State, wish: Terms): "now" | "renewal" | "refused" {
  const { subscription } = state;
  if (state.deleted || subscription === null || given(state) === null) return "refused";
  const { paid, next, overdue, awaiting } = subscription;
  if (awaiting !== null) return "refused";
  if (!isSold(wish) || wish.seats < used(state) || isSame(wish, next)) return "refused";
  const step = stepsUp(paid, wish);
  const isFree = step <= 0 && wish.seats <= paid.seats &&
    wish.billingPeriod === paid.billingPeriod;
  if (isFree) return "renewal";
  return step < 0 || !isSame(paid, next) || overdue !== null ? "refused" : "now";
}

/** Roles in Clerk, by whether they take a seat. */
export type Role = "member" | "auditor";

/** Somebody has a role, which takes a seat or does not. */
export function placed(state: State, person: string, role: Role): State {
  const seatless = leaveOut(state.seatless, person);
  return { ...state, seatless: role === "auditor" ? [...seatless, person] : seatless };
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
