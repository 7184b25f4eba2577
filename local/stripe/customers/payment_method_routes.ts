import { z } from "zod";
import type { Stripe } from "stripe";
import type { Account } from "../account.ts";
import { newestFirst } from "../account_state.ts";
import type { Api } from "../api/endpoint.ts";
import { resourceMissing } from "../api/errors.ts";
import { pageOf } from "../api/listing.ts";
import { pagination, paramsOf, text } from "../api/params.ts";
import { liveCustomer } from "./customer.ts";
import { attach } from "./payment_method.ts";

const retrieveParams = paramsOf<Stripe.PaymentMethodRetrieveParams>()({});
const attachParams = paramsOf<Stripe.PaymentMethodAttachParams>()({ customer: text });
const listParams = paramsOf<Stripe.PaymentMethodListParams>()({
  ...pagination,
  customer: text.optional(),
  type: text.optional(),
});
const listOfCustomerParams = paramsOf<Stripe.CustomerListPaymentMethodsParams>()({
  ...pagination,
  type: text.optional(),
});

/** Endpoints of saved payment methods. */
export function paymentMethodRoutes(api: Api): void {
  api.get("/v1/payment_methods/:id", retrieveParams, ({ account, id }) => {
    const method = account.state.paymentMethods[id];
    if (method === undefined) throw resourceMissing("PaymentMethod", id);
    return method;
  });
  api.get("/v1/payment_methods", listParams, ({ account, params }) => {
    return listMethods(account, params, params.customer, "/v1/payment_methods");
  });
  api.get("/v1/customers/:id/payment_methods", listOfCustomerParams, ({ account, params, id }) => {
    liveCustomer(account, id);
    return listMethods(account, params, id, `/v1/customers/${id}/payment_methods`);
  });
  api.post("/v1/payment_methods/:id/attach", attachParams, ({ account, params, id }) => {
    return attach(account, id, liveCustomer(account, params.customer, "customer").id);
  });
}

function listMethods(
  account: Account,
  params: z.output<typeof listOfCustomerParams>,
  customer: string | undefined,
  url: string,
): object {
  const methods = newestFirst(account.state.paymentMethods)
    .filter((method) => customer !== undefined && method.customer === customer)
    .filter(({ type }) => params.type === undefined || type === params.type);
  return pageOf(methods, params, "PaymentMethod", url);
}
