import type { Stripe } from "stripe";
import type { Account } from "../account.ts";
import type { AccountState } from "../account_state.ts";
import { idOf } from "../invoices/lifecycle.ts";
import { subscriptionWithItem } from "../subscriptions/subscription.ts";

/**
 * The account in the time that the first of these objects lives in which is on a test clock: a
 * customer or something of a customer's, or a test clock itself. Without one it is the account as it
 * is.
 */
export function inFrameOf(account: Account, ...ids: readonly unknown[]): Account {
  for (const id of ids) {
    const clock = typeof id === "string" ? clockOf(account.state, id) : undefined;
    if (clock !== undefined) return account.at({ now: () => clock.frozen_time });
  }
  return account;
}

/** The live customers on a test clock. */
export function customersOn(account: Account, clock: string): Stripe.Customer[] {
  return Object.values(account.state.customers).filter((customer): customer is Stripe.Customer =>
    !customer.deleted && customer.test_clock === clock
  );
}

function clockOf(state: AccountState, id: string): Stripe.TestHelpers.TestClock | undefined {
  const customer = state.customers[customerIdOf(state, id)];
  const clock = customer === undefined || customer.deleted ? id : idOf(customer.test_clock ?? null);
  return state.testClocks[clock];
}

function customerIdOf(state: AccountState, id: string): string {
  const owned = state.subscriptions.get(id) ?? state.invoices[id] ?? state.paymentMethods[id] ??
    subscriptionWithItem(state, id);
  return owned === undefined ? id : idOf(owned.customer);
}
