import type { Stripe } from "stripe";
import { z } from "zod";
import type { Account } from "../account.ts";
import { newestFirst } from "../account_state.ts";
import type { Api } from "../api/endpoint.ts";
import { resourceMissing } from "../api/errors.ts";
import { pageOf } from "../api/listing.ts";
import {
  clearableText,
  isWithin,
  mergeMetadata,
  metadata,
  pagination,
  paramsOf,
  text,
  timeRange,
} from "../api/params.ts";
import { testClockOf } from "../test_clocks/test_clock_routes.ts";
import { changeCustomer, createCustomer, liveCustomer } from "./customer.ts";
import { deleteCustomer } from "./deletion.ts";
import { attach, ownMethod } from "./payment_method.ts";

const address = z.strictObject({
  city: clearableText.default(null),
  country: clearableText.default(null),
  line1: clearableText.default(null),
  line2: clearableText.default(null),
  postal_code: clearableText.default(null),
  state: clearableText.default(null),
});
const fields = {
  address: address.optional(),
  description: clearableText.optional(),
  email: clearableText.optional(),
  invoice_settings: z.strictObject({ default_payment_method: text.optional() }).optional(),
  metadata: metadata.optional(),
  name: clearableText.optional(),
  phone: clearableText.optional(),
  preferred_locales: z.array(text).optional(),
};
const createParams = paramsOf<Stripe.CustomerCreateParams>()({
  ...fields,
  payment_method: text.optional(),
  test_clock: text.optional(),
});
const updateParams = paramsOf<Stripe.CustomerUpdateParams>()(fields);
const retrieveParams = paramsOf<Stripe.CustomerRetrieveParams>()({});
const listParams = paramsOf<Stripe.CustomerListParams>()({
  ...pagination,
  created: timeRange.optional(),
  email: text.optional(),
  test_clock: text.optional(),
});

/** Endpoints of customers. */
export function customerRoutes(api: Api): void {
  api.post("/v1/customers", createParams, ({ account, params }) => {
    const { expand: _, payment_method: method, invoice_settings: settings, ...input } = params;
    if (input.test_clock !== undefined) testClockOf(account, input.test_clock, "test_clock");
    const customer = createCustomer(account, {
      ...given(input),
      metadata: mergeMetadata({}, input.metadata),
    });
    const attached = method === undefined ? undefined : attach(account, method, customer.id).id;
    const chosen = settings?.default_payment_method;
    const standard = chosen === method ? attached : chosen;
    return changeCustomer(account, customer, paymentSettings(account, customer, standard));
  });
  api.post("/v1/customers/:id", updateParams, ({ account, params, id }) => {
    const { expand: _, invoice_settings: settings, ...input } = params;
    const customer = liveCustomer(account, id);
    return changeCustomer(account, customer, {
      ...given(input),
      ...paymentSettings(account, customer, settings?.default_payment_method),
      metadata: mergeMetadata(customer.metadata, input.metadata),
    });
  });
  api.get("/v1/customers/:id", retrieveParams, ({ account, id }) => {
    const customer = account.state.customers[id];
    if (customer === undefined) throw resourceMissing("customer", id);
    return customer;
  });
  api.get("/v1/customers", listParams, ({ account, params }) => {
    const customers = newestFirst(account.state.customers)
      .filter((customer) => !customer.deleted)
      .filter(({ email, created, test_clock: clock }) =>
        // Those on a test clock are shown only to who asks for them.
        (clock ?? undefined) === params.test_clock &&
        (params.email === undefined || email === params.email) && isWithin(created, params.created)
      );
    return pageOf(customers, params, "customer", "/v1/customers");
  });
  deletionRoute(api);
}

function deletionRoute(api: Api): void {
  api.delete("/v1/customers/:id", retrieveParams, ({ account, id }) => {
    return deleteCustomer(account, liveCustomer(account, id));
  });
}

function paymentSettings(
  account: Account,
  customer: Stripe.Customer,
  paymentMethod: string | undefined,
): Partial<Stripe.Customer> {
  if (paymentMethod === undefined) return {};
  const param = "invoice_settings[default_payment_method]";
  const method = ownMethod(account, paymentMethod, customer.id, param);
  return { invoice_settings: { ...customer.invoice_settings, default_payment_method: method } };
}

/** The fields that were sent, without those that weren't. */
function given<T extends object>(input: T): { [Name in keyof T]: Exclude<T[Name], undefined> } {
  const entries = Object.entries(input).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [Name in keyof T]: Exclude<T[Name], undefined> };
}
