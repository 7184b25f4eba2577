import type Stripe from "stripe";
import { toJson } from "../_shared/database.ts";
import type { Json } from "../_shared/database.types.ts";
import { answeredAt, stripeAnswer } from "../_shared/stripe.ts";
import { obeyingRetryAfter } from "./retry_after.ts";

/**
 * All subscriptions of a customer, ended ones too, with their latest invoices, as
 * `reconcile_organization` takes them.
 */
export async function readSubscriptions(stripe: Stripe, customer: string): Promise<Json> {
  const subscriptions: Json[] = [];
  let last: { starting_after?: string } = {};
  for (;;) {
    const page = await obeyingRetryAfter(() =>
      stripeAnswer(stripe.subscriptions.list({
        customer,
        status: "all",
        limit: 100,
        expand: ["data.latest_invoice"],
        ...last,
      }))
    );
    subscriptions.push(...page.data.map(toJson));
    const lastId = page.data.at(-1)?.id;
    if (!page.has_more || lastId === undefined) return { readAt: answeredAt(page), subscriptions };
    last = { starting_after: lastId };
  }
}
