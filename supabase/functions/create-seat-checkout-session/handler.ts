import type Stripe from "stripe";
import * as z from "zod";
import { readCommand } from "../_shared/body.ts";
import { type Handler, withBoundary } from "../_shared/boundary.ts";
import { answerOf, type ServiceClient } from "../_shared/database.ts";
import { ApiError } from "../_shared/errors.ts";
import { requireAdminSession, type SessionSettings } from "../_shared/session.ts";
import { openCheckoutSession } from "./checkout_session.ts";
import { type ReturnSettings, returnUrls } from "../_shared/return_urls.ts";

/** What the handler works with. */
export interface Dependencies {
  readonly config: SessionSettings & ReturnSettings;
  readonly database: ServiceClient;
  readonly stripe: Stripe;
}

// Postgres has no room for NUL and halves of surrogate pairs.
const text = (longest: number) => z.string().max(longest).regex(/^[^\p{Cc}\p{Cs}]*$/u);

const command = z.strictObject({
  organizationId: z.uuid(),
  plan: text(64),
  seats: z.int().min(0).max(1_000_000),
  billingPeriod: text(64),
  successUrl: text(2048).optional(),
  cancelUrl: text(2048).optional(),
});

const startedCheckout = z.object({
  seatChangeId: z.uuid(),
  expiresAt: z.int(),
  lookupKey: z.string(),
  stripeCustomerId: z.string().nullable(),
  organizationName: z.string(),
});

/** What `start_checkout` decided: the intent that is now durable. */
export type StartedCheckout = z.infer<typeof startedCheckout>;

/** What is bought, by whom, and where the customer goes afterwards. */
export interface Purchase {
  readonly organizationId: string;
  readonly plan: string;
  readonly seats: number;
  readonly billingPeriod: string;
  readonly successUrl: string;
  readonly cancelUrl: string;
  readonly actor: string;
}

/**
 * `POST { organizationId, plan, seats, billingPeriod, successUrl?, cancelUrl? }`
 * → `{ url, sessionId }`: where an organization's admin pays for its first seats.
 *
 * The database decides whether they may be bought (`start_checkout`) and records the intent; only
 * then is Stripe called. Seats are granted by `stripe-webhook`, once they are paid.
 */
export function createHandler({ config, database, stripe }: Dependencies): Handler {
  return withBoundary("create-seat-checkout-session", ["POST"], async (request) => {
    const session = await requireAdminSession(request, config);
    const { organizationId, plan, seats, billingPeriod, ...wanted } = await readCommand(
      request,
      command,
    );
    const urls = returnUrls(config, wanted);
    const purchase = { organizationId, plan, seats, billingPeriod, ...urls, actor: session.userId };

    const started = startedCheckout.parse(
      await answerOf(database.rpc("start_checkout", {
        p_organization_id: organizationId,
        p_clerk_org_id: session.clerkOrgId,
        p_plan: plan,
        p_billing_period: billingPeriod,
        p_seats: seats,
        p_success_url: urls.successUrl,
        p_cancel_url: urls.cancelUrl,
        p_actor: session.userId,
      })),
    );
    const opened = await openCheckoutSession({ database, stripe }, purchase, started);
    if (opened.url === null) {
      throw ApiError.of("stripe_error", "Stripe opened a Checkout Session without a page.");
    }
    return Response.json({ url: opened.url, sessionId: opened.id });
  });
}
