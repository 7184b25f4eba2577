import type { Stripe } from "stripe";
import type { Account } from "../account.ts";
import type { Api } from "../api/endpoint.ts";
import { resourceMissing } from "../api/errors.ts";
import { pageOf } from "../api/listing.ts";
import { integer, metadata, nonNegative, pagination, paramsOf, text } from "../api/params.ts";
import { applyChange } from "./application.ts";
import { planChange, prorationMoment } from "./change.ts";
import { paymentBehaviour, prorationBehaviour } from "./change_params.ts";
import { notForPendingUpdates } from "./update.ts";
import { subscriptionOf, subscriptionWithItem } from "./subscription.ts";

const updateParams = paramsOf<Stripe.SubscriptionItemUpdateParams>()({
  metadata: metadata.optional(),
  payment_behavior: paymentBehaviour,
  price: text.optional(),
  proration_behavior: prorationBehaviour.default("create_prorations"),
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
    const { subscription } = itemOf(account, id);
    if (params.payment_behavior === "pending_if_incomplete" && metadata !== undefined) {
      throw notForPendingUpdates(["metadata"]);
    }
    const change = { id, price, quantity, metadata };
    const planned = planChange(account, subscription, [change], {
      behaviour: params.proration_behavior,
      at: prorationMoment(account, subscription, params.proration_date),
      isAnchoredNow: false,
    });
    applyChange(account, subscription, planned, params.payment_behavior);
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
  const subscription = subscriptionWithItem(account.state, id);
  const item = subscription?.items.data.find((one) => one.id === id);
  if (subscription === undefined || item === undefined) {
    throw resourceMissing("subscription item", id);
  }
  return { item, subscription };
}
