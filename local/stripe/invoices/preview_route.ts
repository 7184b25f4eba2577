import type { Stripe } from "stripe";
import { z } from "zod";
import type { Account } from "../account.ts";
import type { Api } from "../api/endpoint.ts";
import { invalidRequest } from "../api/errors.ts";
import { boolean, integer, paramsOf, text } from "../api/params.ts";
import { liveCustomer } from "../customers/customer.ts";
import { cancellationAtEnd } from "../subscriptions/ending.ts";
import { prorationMoment } from "../subscriptions/change.ts";
import { cycleAnchor, itemChanges, prorationBehaviour } from "../subscriptions/change_params.ts";
import { subscriptionOf } from "../subscriptions/subscription.ts";
import { idOf } from "./lifecycle.ts";
import { previewInvoice } from "./preview.ts";

const previewParams = paramsOf<Stripe.InvoiceCreatePreviewParams>()({
  customer: text.optional(),
  preview_mode: z.enum(["next", "recurring"]).default("next"),
  subscription: text,
  subscription_details: z.strictObject({
    billing_cycle_anchor: cycleAnchor.optional(),
    cancel_at_period_end: boolean.optional(),
    items: itemChanges.optional(),
    proration_behavior: prorationBehaviour.optional(),
    proration_date: integer.optional(),
  }).default({}),
});

/** The endpoint that previews an invoice of a subscription that exists. */
export function previewRoute(api: Api): void {
  api.post("/v1/invoices/create_preview", previewParams, ({ account, params }) => {
    const subscription = subscriptionOf(account, params.subscription, "subscription");
    if (params.customer !== undefined) {
      const { id } = liveCustomer(account, params.customer, "customer");
      if (id !== idOf(subscription.customer)) {
        throw invalidRequest(`The subscription ${subscription.id} is not one of customer ${id}.`, {
          param: "subscription",
        });
      }
    }
    return preview(account, subscription, params);
  });
}

function preview(
  account: Account,
  subscription: Stripe.Subscription,
  { preview_mode: mode, subscription_details: details }: z.output<typeof previewParams>,
): Stripe.Invoice {
  const { items = [], proration_behavior: behaviour, proration_date: date } = details;
  const param = "subscription_details[proration_date]";
  if (date !== undefined && (behaviour === "none" || items.length === 0)) {
    throw invalidRequest(
      "A proration date needs items that change, and prorations that are not `none`.",
      { param },
    );
  }
  const atEnd = details.cancel_at_period_end;
  return previewInvoice(account, subscription, {
    changes: items,
    terms: {
      behaviour: behaviour ?? "create_prorations",
      at: prorationMoment(account, subscription, date, param),
      isAnchoredNow: details.billing_cycle_anchor?.type === "now",
    },
    also: atEnd === undefined ? {} : cancellationAtEnd(account, subscription, atEnd),
    mode,
  });
}
