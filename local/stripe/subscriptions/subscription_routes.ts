import type { Stripe } from "stripe";
import { z } from "zod";
import type { Account } from "../account.ts";
import { newestFirst } from "../account_state.ts";
import type { Api } from "../api/endpoint.ts";
import { invalidRequest, resourceMissing } from "../api/errors.ts";
import { pageOf } from "../api/listing.ts";
import {
  boolean,
  clearableText,
  integer,
  isWithin,
  mergeMetadata,
  metadata,
  nonNegative,
  pagination,
  paramsOf,
  text,
  timeRange,
} from "../api/params.ts";
import { ownMethod } from "../customers/payment_method.ts";
import { applyChange, planChange } from "./change.ts";
import { createFromParams } from "./creation.ts";
import { cancellationDetails, cancelNow } from "./ending.ts";
import { changeSubscription, subscriptionOf } from "./subscription.ts";

const feedback = z.enum([
  "customer_service",
  "low_quality",
  "missing_features",
  "other",
  "switched_service",
  "too_complex",
  "too_expensive",
  "unused",
]);
const cancellation = z.strictObject({
  comment: clearableText.optional(),
  feedback: feedback.optional(),
});
const prorationBehavior = z.enum(["create_prorations", "always_invoice", "none"])
  .default("create_prorations");

const updateParams = paramsOf<Stripe.SubscriptionUpdateParams>()({
  cancel_at_period_end: boolean.optional(),
  cancellation_details: cancellation.optional(),
  default_payment_method: text.optional(),
  description: clearableText.optional(),
  items: z.array(z.strictObject({
    deleted: boolean.optional(),
    id: text.optional(),
    metadata: metadata.optional(),
    price: text.optional(),
    quantity: nonNegative.optional(),
  })).optional(),
  metadata: metadata.optional(),
  off_session: boolean.optional(),
  pause_collection: z.union([
    z.literal("").transform(() => null),
    z.strictObject({
      behavior: z.enum(["keep_as_draft", "mark_uncollectible", "void"]),
      resumes_at: integer.optional(),
    }),
  ]).optional(),
  payment_behavior: z.enum(["allow_incomplete", "error_if_incomplete"]).default("allow_incomplete"),
  proration_behavior: prorationBehavior,
  proration_date: integer.optional(),
});
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
});

/** Endpoints of subscriptions. */
export function subscriptionRoutes(api: Api): void {
  createFromParams(api);
  api.post("/v1/subscriptions/:id", updateParams, ({ account, params, id }) => {
    return update(account, subscriptionOf(account, id), params);
  });
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
  const { created, current_period_end: periodEnd, customer, price, status } = params;
  return newestFirst(account.state.subscriptions).filter((subscription) =>
    hasStatus(subscription, status) &&
    (customer === undefined || subscription.customer === customer) &&
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

function update(
  account: Account,
  subscription: Stripe.Subscription,
  params: z.output<typeof updateParams>,
): Stripe.Subscription {
  const changes = changesOf(account, subscription, params);
  if (subscription.ended_at !== null) {
    const { cancellation_details, metadata, ...rest } = changes;
    if (Object.keys(rest).length > 0 || params.items !== undefined) {
      throw refusedAsEnded(subscription);
    }
    return changeSubscription(account, subscription, {
      ...(cancellation_details === undefined ? {} : { cancellation_details }),
      ...(metadata === undefined ? {} : { metadata }),
    });
  }
  if (params.items === undefined) return changeSubscription(account, subscription, changes);
  const terms = {
    behaviour: params.proration_behavior,
    payment: params.payment_behavior,
    at: params.proration_date ?? account.clock.now(),
  };
  const planned = planChange(account, subscription, params.items, terms);
  return applyChange(account, subscription, planned, terms, changes);
}

/** The changes other than those of items. */
function changesOf(
  account: Account,
  subscription: Stripe.Subscription,
  params: z.output<typeof updateParams>,
): Partial<Stripe.Subscription> {
  const { description, pause_collection: pause, default_payment_method: method } = params;
  const customer = String(subscription.customer);
  return {
    ...(params.metadata === undefined
      ? {}
      : { metadata: mergeMetadata(subscription.metadata, params.metadata) }),
    ...(description === undefined ? {} : { description }),
    ...(method === undefined ? {} : {
      default_payment_method: ownMethod(account, method, customer, "default_payment_method"),
    }),
    ...(pause === undefined ? {} : {
      pause_collection: pause && {
        behavior: pause.behavior,
        resumes_at: pause.resumes_at ?? null,
      },
    }),
    ...cancellationChanges(account, subscription, params),
  };
}

function cancellationChanges(
  account: Account,
  subscription: Stripe.Subscription,
  params: z.output<typeof updateParams>,
): Partial<Stripe.Subscription> {
  const { cancel_at_period_end: atPeriodEnd, cancellation_details: sent } = params;
  const said = {
    ...(sent?.comment === undefined ? {} : { comment: sent.comment }),
    ...(sent?.feedback === undefined ? {} : { feedback: sent.feedback }),
  };
  const withWords = sent === undefined
    ? {}
    : { cancellation_details: cancellationDetails(subscription, said) };
  if (atPeriodEnd === undefined || atPeriodEnd === subscription.cancel_at_period_end) {
    return withWords;
  }
  const end = Math.max(...subscription.items.data.map((item) => item.current_period_end));
  return {
    cancel_at: atPeriodEnd ? end : null,
    cancel_at_period_end: atPeriodEnd,
    canceled_at: atPeriodEnd ? account.clock.now() : null,
    cancellation_details: cancellationDetails(subscription, {
      ...said,
      reason: atPeriodEnd ? "cancellation_requested" : null,
    }),
  };
}

function refusedAsEnded({ id, status }: Stripe.Subscription) {
  return invalidRequest(
    status === "canceled"
      ? "A canceled subscription can only update its cancellation_details and metadata."
      : `The subscription ${id} is ${status} and can't be changed.`,
  );
}
