import type Stripe from "stripe";
import { answerOf, type ServiceClient } from "../_shared/database.ts";
import { ApiError } from "../_shared/errors.ts";
import { stripeAnswer } from "../_shared/stripe.ts";
import type { Purchase, StartedCheckout } from "./handler.ts";

interface Connections {
  readonly database: ServiceClient;
  readonly stripe: Stripe;
}

/**
 * Opens the one Checkout Session of an intent. Each call to Stripe carries an idempotency key that
 * follows from the intent, so that two clicks, or a click after a lost answer, end in one session;
 * sessions of earlier intents are closed first, so that only one can be paid.
 *
 * @throws {ApiError} `price_not_found` (503), `checkout_superseded` (409), `stripe_unavailable`
 * (503), `stripe_error` (502), and what the database raises.
 */
export async function openCheckoutSession(
  { database, stripe }: Connections,
  purchase: Purchase,
  started: StartedCheckout,
): Promise<Stripe.Checkout.Session> {
  const customer = started.stripeCustomerId ??
    await createCustomer({ database, stripe }, purchase, started.organizationName);
  const [price] = await Promise.all([
    findPrice(stripe, started.lookupKey),
    closeEarlierSessions(stripe, customer, purchase.organizationId, started.seatChangeId),
  ]);
  const session = await stripeAnswer(stripe.checkout.sessions.create(
    sessionParams(purchase, started, customer, price),
    { idempotencyKey: `checkout-${started.seatChangeId}-${price}` },
  ));
  const state = await answerOf(database.rpc("attach_checkout_session", {
    p_seat_change_id: started.seatChangeId,
    p_stripe_checkout_session_id: session.id,
  }));
  if (state !== "open") {
    await closeSession(stripe, session.id);
    throw ApiError.of("checkout_superseded", "Another checkout has taken the place of this one.", {
      details: { state },
    });
  }
  return session;
}

function sessionParams(
  { organizationId, plan, seats, billingPeriod, successUrl, cancelUrl }: Purchase,
  { seatChangeId, expiresAt }: StartedCheckout,
  customer: string,
  price: string,
): Stripe.Checkout.SessionCreateParams {
  const metadata = {
    organization_id: organizationId,
    seat_change_id: seatChangeId,
    plan,
    billing_period: billingPeriod,
  };
  return {
    mode: "subscription",
    customer,
    client_reference_id: organizationId,
    line_items: [{ price, quantity: seats }],
    success_url: successUrl,
    cancel_url: cancelUrl,
    expires_at: expiresAt,
    metadata,
    subscription_data: { metadata },
  };
}

async function createCustomer(
  { database, stripe }: Connections,
  { organizationId, actor }: Purchase,
  name: string,
): Promise<string> {
  // An idempotency key is bound to its parameters (Stripe: idempotent requests), and a name may
  // change between two tries: so it is not among them.
  const customer = await stripeAnswer(stripe.customers.create(
    { metadata: { organization_id: organizationId } },
    { idempotencyKey: `customer-${organizationId}` },
  ));
  const attached = await answerOf(database.rpc("attach_stripe_customer", {
    p_organization_id: organizationId,
    p_stripe_customer_id: customer.id,
    p_actor: actor,
  }));
  await stripeAnswer(stripe.customers.update(attached, { name }));
  return attached;
}

async function findPrice(stripe: Stripe, lookupKey: string): Promise<string> {
  const prices = await stripeAnswer(
    stripe.prices.list({ lookup_keys: [lookupKey], active: true, limit: 1 }),
  );
  const price = prices.data[0];
  if (price === undefined) {
    throw ApiError.of("price_not_found", "This plan has no price in Stripe yet.", {
      details: { lookupKey },
    });
  }
  return price.id;
}

async function closeEarlierSessions(
  stripe: Stripe,
  customer: string,
  organizationId: string,
  seatChangeId: string,
): Promise<void> {
  const open = await stripeAnswer(
    stripe.checkout.sessions.list({ customer, status: "open", limit: 100 }),
  );
  const earlier = open.data.filter(({ metadata }) =>
    metadata?.["organization_id"] === organizationId &&
    metadata["seat_change_id"] !== seatChangeId
  );
  await Promise.all(earlier.map(({ id }) => closeSession(stripe, id)));
}

async function closeSession(stripe: Stripe, sessionId: string): Promise<void> {
  try {
    await stripeAnswer(stripe.checkout.sessions.expire(sessionId));
  } catch (error) {
    // Stripe only expires open sessions: this one has just been paid, or closed by another click.
    if (!(error instanceof ApiError && error.code === "stripe_error")) throw error;
    const session = await stripeAnswer(stripe.checkout.sessions.retrieve(sessionId));
    if (session.status === "expired") return;
    throw ApiError.of("checkout_superseded", "An earlier checkout has just been paid.", {
      details: { state: "completed" },
    });
  }
}
