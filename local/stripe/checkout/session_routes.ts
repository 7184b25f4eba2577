import type { Stripe } from "stripe";
import { z } from "zod";
import type { Account } from "../account.ts";
import { newestFirst } from "../account_state.ts";
import type { Api } from "../api/endpoint.ts";
import { invalidRequest } from "../api/errors.ts";
import { newId, randomText } from "../api/ids.ts";
import { pageOf } from "../api/listing.ts";
import {
  boolean,
  integer,
  isWithin,
  mergeMetadata,
  metadata,
  pagination,
  paramsOf,
  text,
  timeRange,
  webAddress,
} from "../api/params.ts";
import { liveCustomer } from "../customers/customer.ts";
import { amountOf } from "../invoices/tiers.ts";
import { recurringPrice } from "../products/price.ts";
import { billingMode, oneCurrency, trialSettings } from "../subscriptions/creation.ts";
import type { Order } from "../subscriptions/start.ts";
import { priced } from "../subscriptions/subscription.ts";
import {
  expireSession,
  lineItemList,
  newSession,
  payUrl,
  putSession,
  sessionDetailsOf,
  sessionOf,
} from "./session.ts";

const SHORTEST_SECONDS = 30 * 60;
const LONGEST_SECONDS = 24 * 60 * 60;

const keep = z.enum(["auto", "never"]);
const createParams = paramsOf<Stripe.Checkout.SessionCreateParams>()({
  allow_promotion_codes: boolean.optional(),
  billing_address_collection: z.enum(["auto", "required"]).optional(),
  cancel_url: webAddress.optional(),
  client_reference_id: z.string().min(1).max(200).optional(),
  currency: text.optional(),
  customer: text.optional(),
  customer_email: text.optional(),
  customer_update: z.strictObject({ address: keep, name: keep, shipping: keep }).partial()
    .optional(),
  expires_at: integer.optional(),
  line_items: z.array(z.strictObject({
    metadata: metadata.optional(),
    price: text,
    quantity: integer.refine((value) => value >= 1, "minimum"),
  })).min(1),
  locale: text.optional(),
  metadata: metadata.optional(),
  mode: z.enum(["subscription"]),
  payment_method_collection: z.enum(["always", "if_required"]).default("always"),
  subscription_data: z.strictObject({
    billing_mode: billingMode.optional(),
    description: text.optional(),
    metadata: metadata.optional(),
    trial_end: integer.optional(),
    trial_period_days: integer.optional(),
    trial_settings: trialSettings.optional(),
  }).optional(),
  success_url: webAddress,
  tax_id_collection: z.strictObject({ enabled: boolean }).optional(),
  ui_mode: z.enum(["hosted_page"]).optional(),
});
const retrieveParams = paramsOf<Stripe.Checkout.SessionRetrieveParams>()({});
const linesParams = paramsOf<Stripe.Checkout.SessionListLineItemsParams>()(pagination);
const listParams = paramsOf<Stripe.Checkout.SessionListParams>()({
  ...pagination,
  created: timeRange.optional(),
  customer: text.optional(),
  status: z.enum(["complete", "expired", "open"]).optional(),
  subscription: text.optional(),
});

/** Endpoints of Checkout Sessions, in subscription mode with the hosted page. */
export function sessionRoutes(api: Api): void {
  const path = "/v1/checkout/sessions";
  api.post(path, createParams, ({ account, params }) => create(account, params));
  api.get(`${path}/:id`, retrieveParams, ({ account, id }) => sessionOf(account, id));
  api.get(`${path}/:id/line_items`, linesParams, ({ account, params, id }) => {
    const { data, url } = sessionDetailsOf(account, sessionOf(account, id).id).lineItems;
    return pageOf(data, params, "item", url);
  });
  api.get(path, listParams, ({ account, params }) => {
    const { created, customer, status, subscription } = params;
    const sessions = newestFirst(account.state.sessions).filter((session) =>
      (customer === undefined || session.customer === customer) &&
      (status === undefined || session.status === status) &&
      (subscription === undefined || session.subscription === subscription) &&
      isWithin(session.created, created)
    );
    return pageOf(sessions, params, "checkout.session", path);
  });
  api.post(`${path}/:id/expire`, retrieveParams, ({ account, id }) => {
    return expireSession(account, sessionOf(account, id));
  });
}

function create(
  account: Account,
  params: z.output<typeof createParams>,
): Stripe.Checkout.Session {
  if (params.customer !== undefined && params.customer_email !== undefined) {
    throw invalidRequest(
      "You may only specify one of these parameters: customer, customer_email.",
    );
  }
  const id = `cs_test_${randomText(58)}`;
  const customer = params.customer === undefined
    ? null
    : liveCustomer(account, params.customer, "customer");
  const items = params.line_items.map(({ price, quantity, metadata }, position) => ({
    price: recurringPrice(account, price, `line_items[${position}][price]`),
    quantity,
    metadata: mergeMetadata({}, metadata),
  }));
  const lines = items.map((item) => lineOf(account, item));
  const data = params.subscription_data;
  const isTrial = data?.trial_end !== undefined || data?.trial_period_days !== undefined;
  const session = newSession({
    id,
    allow_promotion_codes: params.allow_promotion_codes ?? null,
    amount: isTrial ? 0 : lines.reduce((sum, { amount_total: amount }) => sum + amount, 0),
    billing_address_collection: params.billing_address_collection ?? null,
    cancel_url: params.cancel_url ?? null,
    client_reference_id: params.client_reference_id ?? null,
    collectsTaxId: params.tax_id_collection?.enabled ?? false,
    currency: oneCurrency(items, params.currency),
    customer,
    customer_email: params.customer_email ?? null,
    expires_at: expiryOf(account, params.expires_at),
    locale: params.locale ?? null,
    metadata: mergeMetadata({}, params.metadata),
    now: account.clock.now(),
    payment_method_collection: params.payment_method_collection,
    success_url: params.success_url,
    url: payUrl(account, id),
  });
  account.state.sessionDetails[id] = {
    lineItems: lineItemList(id, lines),
    subscription: {
      metadata: mergeMetadata({}, data?.metadata),
      description: data?.description ?? null,
      trialEnd: data?.trial_end ?? null,
      trialDays: data?.trial_period_days ?? null,
      missingPaymentMethod: data?.trial_settings?.end_behavior.missing_payment_method ??
        "create_invoice",
    },
    challenged: null,
  };
  return putSession(account, session);
}

function lineOf(
  account: Account,
  { price, quantity, metadata }: Order["items"][number],
): Stripe.LineItem {
  const product = priced(account, price);
  const amount = amountOf(product, quantity);
  return {
    id: newId("li"),
    object: "item",
    adjustable_quantity: null,
    amount_discount: 0,
    amount_subtotal: amount,
    amount_tax: 0,
    amount_total: amount,
    currency: price.currency,
    description: product.productName,
    metadata,
    price,
    quantity,
  };
}

function expiryOf(account: Account, wanted: number | undefined): number {
  const now = account.clock.now();
  if (wanted === undefined) return now + LONGEST_SECONDS;
  if (wanted >= now + SHORTEST_SECONDS && wanted <= now + LONGEST_SECONDS) return wanted;
  throw invalidRequest(
    "The `expires_at` timestamp must be between 30 minutes and 24 hours from the creation of the " +
      "Checkout Session.",
    { param: "expires_at" },
  );
}
