import type { Stripe } from "stripe";
import type { Account } from "../account.ts";
import { cancelNow } from "../subscriptions/ending.ts";
import { livingSubscriptions } from "../subscriptions/subscription.ts";

/** Deletes a customer; what it subscribes to is cancelled. */
export function deleteCustomer(
  account: Account,
  customer: Stripe.Customer,
): Stripe.DeletedCustomer {
  const { id } = customer;
  for (const subscription of livingSubscriptions(account.state, id)) {
    cancelNow(account, subscription, { reason: "cancellation_requested" });
  }
  const deleted: Stripe.DeletedCustomer = { id, object: "customer", deleted: true };
  account.state.customers[id] = deleted;
  account.emit("customer.deleted", customer);
  return deleted;
}
