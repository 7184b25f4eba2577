import type { Stripe } from "stripe";
import { z } from "zod";
import type { Account } from "../account.ts";
import { newestFirst } from "../account_state.ts";
import type { Api } from "../api/endpoint.ts";
import { cardDeclined, invalidRequest, resourceMissing } from "../api/errors.ts";
import { pageOf } from "../api/listing.ts";
import { boolean, isWithin, pagination, paramsOf, text, timeRange } from "../api/params.ts";
import type { ChargeOutcome } from "../customers/cards.ts";
import { charge, ownMethod } from "../customers/payment_method.ts";
import { collect, subscriptionIdOf } from "../subscriptions/collection.ts";
import { paymentMethodOf, subscriptionOf } from "../subscriptions/subscription.ts";
import { discardPending, isPendingInvoice } from "../subscriptions/pending_update.ts";
import { close, idOf } from "./lifecycle.ts";

const retrieveParams = paramsOf<Stripe.InvoiceRetrieveParams>()({});
const linesParams = paramsOf<Stripe.InvoiceListLineItemsParams>()(pagination);
const payParams = paramsOf<Stripe.InvoicePayParams>()({
  off_session: boolean.default(true),
  payment_method: text.optional(),
});
const listParams = paramsOf<Stripe.InvoiceListParams>()({
  ...pagination,
  created: timeRange.optional(),
  customer: text.optional(),
  status: z.enum(["draft", "open", "paid", "uncollectible", "void"]).optional(),
  subscription: text.optional(),
});

/** Endpoints of invoices. */
export function invoiceRoutes(api: Api): void {
  api.get("/v1/invoices/:id", retrieveParams, ({ account, id }) => invoiceOf(account, id));
  api.get("/v1/invoices/:id/lines", linesParams, ({ account, params, id }) => {
    const { data } = invoiceOf(account, id).lines;
    return pageOf(data, params, "line item", `/v1/invoices/${id}/lines`);
  });
  api.get("/v1/invoices", listParams, ({ account, params }) => {
    const { created, customer, status, subscription } = params;
    const invoices = newestFirst(account.state.invoices).filter((invoice) =>
      (customer === undefined || invoice.customer === customer) &&
      (status === undefined || invoice.status === status) &&
      (subscription === undefined || subscriptionIdOf(invoice) === subscription) &&
      isWithin(invoice.created, created)
    );
    return pageOf(invoices, params, "invoice", "/v1/invoices");
  });
  api.post("/v1/invoices/:id/void", retrieveParams, ({ account, id }) => {
    return voidInvoice(account, invoiceOf(account, id));
  });
  api.post("/v1/invoices/:id/pay", payParams, ({ account, params, id }) => {
    const invoice = payable(account, id);
    const method = params.payment_method === undefined
      ? paymentMethodOf(account, subscriptionOf(account, subscriptionIdOf(invoice)))
      : ownMethod(account, params.payment_method, idOf(invoice.customer), "payment_method");
    const outcome = charge(account, method, !params.off_session);
    const paid = collect(account, invoice, outcome);
    if (outcome !== "succeeded") throw cardDeclined(outcome);
    return paid;
  });
}

/** Collects an open invoice, whatever the saved card would say. Throws where it is not open. */
export function collectAs(account: Account, id: string, outcome: ChargeOutcome): Stripe.Invoice {
  return collect(account, payable(account, id), outcome);
}

/** The invoice with this id. Throws resource_missing. */
export function invoiceOf(account: Account, id: string): Stripe.Invoice {
  const invoice = account.state.invoices[id];
  if (invoice === undefined) throw resourceMissing("invoice", id);
  return invoice;
}

/** Voids an open invoice; a pending update that it belongs to is given up with it. */
function voidInvoice(account: Account, invoice: Stripe.Invoice): Stripe.Invoice {
  if (invoice.status !== "open") {
    throw invalidRequest(`You can only void an open invoice. This one is ${invoice.status}.`);
  }
  const subscription = account.state.subscriptions.get(subscriptionIdOf(invoice));
  if (subscription !== undefined && isPendingInvoice(account, subscription, invoice)) {
    discardPending(account, subscription);
    return invoiceOf(account, invoice.id);
  }
  return close(account, invoice, "void");
}

/** The invoice with this id, if it can be paid. Throws where it is not open. */
export function payable(account: Account, id: string): Stripe.Invoice {
  const invoice = invoiceOf(account, id);
  if (invoice.status === "paid") throw invalidRequest("Invoice is already paid");
  if (invoice.status !== "open") {
    throw invalidRequest(`The invoice is ${invoice.status}; only an open invoice can be paid.`);
  }
  return invoice;
}
