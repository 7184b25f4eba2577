import type { Stripe } from "stripe";
import { z } from "zod";
import type { Account } from "../account.ts";
import type { Api } from "../api/endpoint.ts";
import { invalidRequest } from "../api/errors.ts";
import {
  boolean,
  clearableText,
  integer,
  mergeMetadata,
  metadata,
  paramsOf,
  text,
} from "../api/params.ts";
import { ownMethod } from "../customers/payment_method.ts";
import { applyChange } from "./application.ts";
import { planChange, prorationMoment } from "./change.ts";
import { cycleAnchor, itemChanges, paymentBehaviour, prorationBehaviour } from "./change_params.ts";
import { cancellationAtEnd, cancellationDetails } from "./ending.ts";
import { changeSubscription, subscriptionOf } from "./subscription.ts";

/** Why a customer cancels, of what Stripe offers. */
export const cancelReasons = z.enum([
  "customer_service",
  "low_quality",
  "missing_features",
  "other",
  "switched_service",
  "too_complex",
  "too_expensive",
  "unused",
]);

/** A customer's words about a cancellation, as they are sent. */
export const cancellation = z.strictObject({
  comment: clearableText.optional(),
  feedback: cancelReasons.optional(),
});

const updateParams = paramsOf<Stripe.SubscriptionUpdateParams>()({
  billing_cycle_anchor: cycleAnchor.optional(),
  cancel_at: z.union([
    z.literal("").transform(() => null),
    z.enum(["max_period_end", "min_period_end"]),
    integer,
  ]).optional(),
  cancel_at_period_end: boolean.optional(),
  cancellation_details: cancellation.optional(),
  default_payment_method: text.optional(),
  description: clearableText.optional(),
  items: itemChanges.optional(),
  metadata: metadata.optional(),
  off_session: boolean.optional(),
  pause_collection: z.union([
    z.literal("").transform(() => null),
    z.strictObject({
      behavior: z.enum(["keep_as_draft", "mark_uncollectible", "void"]),
      resumes_at: integer.optional(),
    }),
  ]).optional(),
  payment_behavior: paymentBehaviour,
  proration_behavior: prorationBehaviour.default("create_prorations"),
  proration_date: integer.optional(),
});
type Update = z.output<typeof updateParams>;

/** See Stripe's "Pending updates", supported attributes, and its changelog of 2026-05 and 2026-09. */
const PENDING_PARAMS = [
  "billing_cycle_anchor",
  "cancel_at_period_end",
  "expand",
  "items",
  "metadata",
  "payment_behavior",
  "proration_behavior",
  "proration_date",
];

/** The endpoint that changes a subscription. */
export function updateRoute(api: Api): void {
  api.post("/v1/subscriptions/:id", updateParams, ({ account, params, id }) => {
    return update(account, subscriptionOf(account, id), params);
  });
}

/** A refusal of parameters that can't wait for a payment. */
export function notForPendingUpdates(names: readonly string[]) {
  return invalidRequest(
    "When `payment_behavior` is set to `pending_if_incomplete`, you can only pass parameters that " +
      `pending updates support. Unsupported: ${names.join(", ")}.`,
    { param: names[0] ?? "payment_behavior" },
  );
}

/** A refusal to change what has ended. */
export function refusedAsEnded({ id, status }: Stripe.Subscription) {
  return invalidRequest(
    status === "canceled"
      ? "A canceled subscription can only update its cancellation_details and metadata."
      : `The subscription ${id} is ${status} and can't be changed.`,
  );
}

function update(
  account: Account,
  subscription: Stripe.Subscription,
  params: Update,
): Stripe.Subscription {
  if (params.payment_behavior === "pending_if_incomplete") refuseUnlessPendable(params);
  const changes = changesOf(account, subscription, params);
  const { items, billing_cycle_anchor: anchor } = params;
  if (subscription.ended_at !== null) {
    const { cancellation_details, metadata, ...rest } = changes;
    if (Object.keys(rest).length > 0 || items !== undefined) throw refusedAsEnded(subscription);
    return changeSubscription(account, subscription, {
      ...(cancellation_details === undefined ? {} : { cancellation_details }),
      ...(metadata === undefined ? {} : { metadata }),
    });
  }
  const isAnchoredNow = anchor?.type === "now";
  if (items === undefined && !isAnchoredNow) {
    return changeSubscription(account, subscription, changes);
  }
  const planned = planChange(account, subscription, items ?? [], {
    behaviour: params.proration_behavior,
    at: prorationMoment(account, subscription, params.proration_date),
    isAnchoredNow,
  });
  return applyChange(account, subscription, planned, params.payment_behavior, changes);
}

function refuseUnlessPendable(params: Update): void {
  const refused = Object.entries(params)
    .filter(([name, value]) => value !== undefined && !PENDING_PARAMS.includes(name))
    .map(([name]) => name);
  const withMetadata = (params.items ?? []).flatMap(({ metadata }, position) =>
    metadata === undefined ? [] : [`items[${position}][metadata]`]
  );
  if (refused.length + withMetadata.length > 0) {
    throw notForPendingUpdates([...refused, ...withMetadata]);
  }
}

/** The changes other than those of items. */
function changesOf(
  account: Account,
  subscription: Stripe.Subscription,
  params: Update,
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
  params: Update,
): Partial<Stripe.Subscription> {
  const { cancel_at_period_end: atPeriodEnd, cancel_at: at, cancellation_details: sent } = params;
  const said = {
    ...(sent?.comment === undefined ? {} : { comment: sent.comment }),
    ...(sent?.feedback === undefined ? {} : { feedback: sent.feedback }),
  };
  if (atPeriodEnd !== undefined && at !== undefined) {
    throw invalidRequest("You can't set both `cancel_at` and `cancel_at_period_end`.", {
      param: "cancel_at",
    });
  }
  if (at !== undefined) {
    const changes = cancellationAtEnd(account, subscription, at !== null, said);
    const cancelAt = cancelMoment(account, subscription, at);
    return { ...changes, cancel_at: cancelAt, cancel_at_period_end: false };
  }
  if (atPeriodEnd === undefined || atPeriodEnd === subscription.cancel_at_period_end) {
    return sent === undefined
      ? {}
      : { cancellation_details: cancellationDetails(subscription, said) };
  }
  return cancellationAtEnd(account, subscription, atPeriodEnd, said);
}

function cancelMoment(
  account: Account,
  { items }: Stripe.Subscription,
  at: number | string | null,
): number | null {
  const ends = items.data.map((item) => item.current_period_end);
  if (at === "max_period_end") return Math.max(...ends);
  if (at === "min_period_end") return Math.min(...ends);
  if (typeof at === "number" && at <= account.clock.now()) {
    throw invalidRequest("`cancel_at` must be in the future.", { param: "cancel_at" });
  }
  return typeof at === "number" ? at : null;
}
