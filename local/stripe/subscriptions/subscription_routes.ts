import type { Stripe } from "stripe";
import { z } from "zod";
import type { Account } from "../account.ts";
import type { Api } from "../api/endpoint.ts";
import { resourceMissing } from "../api/errors.ts";
import { pageOf } from "../api/listing.ts";
import { isWithin, pagination, paramsOf, text, timeRange } from "../api/params.ts";
import { createFromParams } from "./creation.ts";
import { cancelNow } from "./ending.ts";
import { subscriptionOf } from "./subscription.ts";
import { cancellation, refusedAsEnded, updateRoute } from "./update.ts";

const cancelParams = paramsOf<Stripe.SubscriptionCancelParams>()({
  cancellation_details: cancellation.optional(),
});
const retrieveParams = paramsOf<Stripe.SubscriptionRetrieveParams>()({});
const listParams = paramsOf<Stripe.SubscriptionListParams>()({
  ...pagination,
  created: timeRange.optional(),
  current_period_end: timeRange.optional(),
  customer: text.optional(),
  price: text.optional(),
  status: z.enum([
    "active",
    "all",
    "canceled",
    "ended",
    "incomplete",
    "incomplete_expired",
    "past_due",
    "paused",
    "trialing",
    "unpaid",
  ]).optional(),
  test_clock: text.optional(),
});

/** Endpoints of subscriptions. */
export function subscriptionRoutes(api: Api): void {
  createFromParams(api);
  updateRoute(api);
  api.delete("/v1/subscriptions/:id", cancelParams, ({ account, params, id }) => {
    const subscription = subscriptionOf(account, id);
    if (subscription.ended_at !== null) throw refusedAsEnded(subscription);
    const { comment = null, feedback = null } = params.cancellation_details ?? {};
    const reason = "cancellation_requested";
    return cancelNow(account, subscription, { comment, feedback, reason });
  });
  api.get("/v1/subscriptions/:id", retrieveParams, ({ account, id }) => {
    return subscriptionOf(account, id);
  });
  api.get("/v1/subscriptions", listParams, ({ account, params }) => {
    const { customer } = params;
    if (customer !== undefined && account.state.customers[customer] === undefined) {
      throw resourceMissing("customer", customer, "customer");
    }
    return pageOf(matching(account, params), params, "subscription", "/v1/subscriptions");
  });
}

function matching(
  account: Account,
  params: z.output<typeof listParams>,
): Stripe.Subscription[] {
  const { created, current_period_end: periodEnd, customer, price, status, test_clock: clock } =
    params;
  const { subscriptions } = account.state;
  const candidates = customer === undefined
    ? subscriptions.newestFirst()
    : subscriptions.of(customer).reverse();
  return candidates.filter((subscription) =>
    hasStatus(subscription, status) &&
    // Those on a test clock are shown only to who asks for them or for their customer.
    (clock === undefined
      ? customer !== undefined || subscription.test_clock === null
      : subscription.test_clock === clock) &&
    (price === undefined || subscription.items.data.some((item) => item.price.id === price)) &&
    isWithin(subscription.created, created) &&
    subscription.items.data.some((item) => isWithin(item.current_period_end, periodEnd))
  );
}

/** Without a status, what has not been cancelled is listed. */
function hasStatus({ status }: Stripe.Subscription, wanted: string | undefined): boolean {
  if (wanted === "all") return true;
  if (wanted === "ended") return status === "canceled" || status === "incomplete_expired";
  return wanted === undefined ? status !== "canceled" : status === wanted;
}
