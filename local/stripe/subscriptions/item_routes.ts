import type { Stripe } from "stripe";
import { z } from "zod";
import type { Account } from "../account.ts";
import type { Api } from "../api/endpoint.ts";
import { resourceMissing } from "../api/errors.ts";
import { pageOf } from "../api/listing.ts";
import { integer, metadata, nonNegative, pagination, paramsOf, text } from "../api/params.ts";
import { applyChange, planChange } from "./change.ts";
import { subscriptionOf } from "./subscription.ts";

const updateParams = paramsOf<Stripe.SubscriptionItemUpdateParams>()({
  metadata: metadata.optional(),
  payment_behavior: z.enum(["allow_incomplete", "error_if_incomplete"]).default("allow_incomplete"),
  price: text.optional(),
  proration_behavior: z.enum(["create_prorations", "always_invoice", "none"])
    .default("create_prorations"),
  proration_date: integer.optional(),
  quantity: nonNegative.optional(),
});
const retrieveParams = paramsOf<Stripe.SubscriptionItemRetrieveParams>()({});
const listParams = paramsOf<Stripe.SubscriptionItemListParams>()({
  ...pagination,
  subscription: text,
});

/** Endpoints of subscription items. */
export function subscriptionItemRoutes(api: Api): void {
  api.post("/v1/subscription_items/:id", updateParams, ({ account, params, id }) => {
    const { price, quantity, metadata } = params;
    const terms = {
      behaviour: params.proration_behavior,
      payment: params.payment_behavior,
      at: params.proration_date ?? account.clock.now(),
    };
    const { subscription } = itemOf(account, id);
    const change = { id, price, quantity, metadata };
    const planned = planChange(account, subscription, [change], terms);
    applyChange(account, subscription, planned, terms);
    return itemOf(account, id).item;
  });
  api.get("/v1/subscription_items/:id", retrieveParams, ({ account, id }) => {
    return itemOf(account, id).item;
  });
  api.get("/v1/subscription_items", listParams, ({ account, params }) => {
    const subscription = subscriptionOf(account, params.subscription, "subscription");
    const url = "/v1/subscription_items";
    return pageOf(subscription.items.data, params, "subscription item", url);
  });
}

function itemOf(
  account: Account,
  id: string,
): { item: Stripe.SubscriptionItem; subscription: Stripe.Subscription } {
  for (const subscription of Object.values(account.state.subscriptions)) {
    const item = subscription.items.data.find((one) => one.id === id);
    if (item !== undefined) return { item, subscription };
  }
  throw resourceMissing("subscription item", id);
}
