import { Stripe } from "stripe";
import type { Account } from "../account.ts";
import { resourceMissing } from "../api/errors.ts";
import { newId, randomText } from "../api/ids.ts";

/** What a customer is made from. */
export type CustomerInput = Partial<
  Pick<
    Stripe.Customer,
    | "address"
    | "description"
    | "email"
    | "metadata"
    | "name"
    | "phone"
    | "preferred_locales"
    | "test_clock"
  >
>;

/** Makes a customer and says so. */
export function createCustomer(account: Account, input: CustomerInput): Stripe.Customer {
  const customer: Stripe.Customer = {
    id: newId("cus"),
    object: "customer",
    address: input.address ?? null,
    balance: 0,
    created: account.clock.now(),
    currency: null,
    default_source: null,
    delinquent: false,
    description: input.description ?? null,
    discount: null,
    email: input.email ?? null,
    invoice_prefix: randomText(8).toUpperCase(),
    invoice_settings: {
      custom_fields: null,
      default_payment_method: null,
      footer: null,
      rendering_options: null,
    },
    livemode: false,
    metadata: input.metadata ?? {},
    name: input.name ?? null,
    next_invoice_sequence: 1,
    phone: input.phone ?? null,
    preferred_locales: input.preferred_locales ?? [],
    shipping: null,
    tax_exempt: "none",
    test_clock: input.test_clock ?? null,
  };
  account.state.customers[customer.id] = customer;
  account.emit("customer.created", customer);
  return customer;
}

/** Changes a customer and says what it was before. */
export function changeCustomer(
  account: Account,
  before: Stripe.Customer,
  changes: Partial<Stripe.Customer>,
): Stripe.Customer {
  const after = { ...before, ...changes };
  account.state.customers[after.id] = after;
  account.emitChange("customer.updated", before, after);
  return after;
}

/**
 * The customer with this id, unless it is deleted. Throws resource_missing: 404 for an id in the
 * address, 400 for one in the parameter that `param` names.
 */
export function liveCustomer(account: Account, id: string, param?: string): Stripe.Customer {
  const customer = account.state.customers[id];
  if (customer === undefined || customer.deleted) throw resourceMissing("customer", id, param);
  return customer;
}
