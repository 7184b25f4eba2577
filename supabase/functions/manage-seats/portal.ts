import type Stripe from "stripe";
import { ApiError } from "../_shared/errors.ts";
import { requireAllowed } from "../_shared/return_urls.ts";
import { stripeAnswer } from "../_shared/stripe.ts";
import type { Dependencies } from "./handler.ts";
import type { Summary } from "./summary.ts";

/** Marks the portal configuration that is ours. */
const MARK = { seatkeeper: "portal" };

/**
 * Opens Stripe's customer portal, for cards, invoices and cancelling. Quantities and plans cannot
 * be changed there: that is what `change` is for, which knows who needs a seat.
 *
 * @throws {ApiError} `no_customer` (409), `return_url_not_allowed` (400), `stripe_unavailable`
 * (503).
 */
export async function openPortal(
  { config, stripe }: Dependencies,
  { stripeCustomerId }: Summary,
  returnUrl: string | undefined,
): Promise<{ url: string }> {
  if (stripeCustomerId === null) {
    throw ApiError.of("no_customer", "The organization has bought nothing yet.");
  }
  const session = await stripeAnswer(stripe.billingPortal.sessions.create({
    customer: stripeCustomerId,
    configuration: await findConfiguration(stripe),
    return_url: returnUrl === undefined
      ? `${new URL(config.SITE_URL).origin}/billing`
      : requireAllowed(config, returnUrl, "returnUrl"),
  }));
  return { url: session.url };
}

async function findConfiguration(stripe: Stripe): Promise<string> {
  const { data } = await stripeAnswer(
    stripe.billingPortal.configurations.list({ active: true, limit: 100 }),
  );
  const ours = data.find(({ metadata }) => metadata?.["seatkeeper"] === MARK.seatkeeper);
  if (ours !== undefined) return ours.id;
  const created = await stripeAnswer(stripe.billingPortal.configurations.create({
    metadata: MARK,
    features: {
      invoice_history: { enabled: true },
      payment_method_update: { enabled: true },
      subscription_cancel: { enabled: true, mode: "at_period_end" },
      subscription_update: { enabled: false },
    },
  }, { idempotencyKey: "portal-configuration-1" }));
  return created.id;
}
