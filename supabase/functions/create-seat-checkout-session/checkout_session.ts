import type Stripe from "stripe";
import { answerOf, type ServiceClient } from "../_shared/database.ts";
import { ApiError } from "../_shared/errors.ts";
import { findPrice, isKeptByStripe, stripeAnswer } from "../_shared/stripe.ts";
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
  const customer = await livingCustomer(stripe, started) ??
    await createCustomer({ database, stripe }, purchase, started);
  const [price] = await Promise.all([
    findPrice(stripe, started.lookupKey),
    closeEarlierSessions({ database, stripe }, customer, purchase, started),
  ]);
  const session = await createOnce(
    database,
    started,
    stripe.checkout.sessions.create(
      sessionParams(purchase, started, customer, price),
      { idempotencyKey: `checkout-${started.seatChangeId}-${price}` },
    ),
  );
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

/**
 * Waits for what is created under an intent's idempotency key. An error that Stripe keeps under the
 * key for a day ends the intent, so that the next click begins another, with another key; what may
 * have been created all the same is closed then.
 */
async function createOnce<Created>(
  database: ServiceClient,
  { seatChangeId }: StartedCheckout,
  creation: Promise<Created>,
): Promise<Created> {
  return await stripeAnswer(creation.catch(async (error: unknown) => {
    if (isKeptByStripe(error)) {
      await answerOf(database.rpc("abandon_checkout", { p_seat_change_id: seatChangeId }));
    }
    throw error;
  }));
}

/** The organization's customer, null without one and when it was deleted in Stripe. */
async function livingCustomer(
  stripe: Stripe,
  { stripeCustomerId: id }: StartedCheckout,
): Promise<string | null> {
  if (id === null) return null;
  const { deleted } = await stripeAnswer(stripe.customers.retrieve(id));
  return deleted === true ? null : id;
}

async function createCustomer(
  { database, stripe }: Connections,
  { organizationId, actor }: Purchase,
  started: StartedCheckout,
): Promise<string> {
  // An idempotency key is bound to its parameters (Stripe: idempotent requests), and a name may
  // change between two tries: so it is not among them. The organization's own key makes one customer
  // of different wishes at once; the intent's is for when Stripe keeps an error, or a customer who
  // is deleted by now, under that one.
  const create = (idempotencyKey: string) =>
    stripe.customers.create({ metadata: { organization_id: organizationId } }, { idempotencyKey });
  const createAnother = () => create(`customer-${started.seatChangeId}`);
  const deleted = started.stripeCustomerId;
  const creation = deleted !== null
    ? createAnother()
    : create(`customer-${organizationId}`).catch((error: unknown) => {
      if (!isKeptByStripe(error)) throw error;
      return createAnother();
    });
  const customer = await createOnce(database, started, creation);
  const attached = await answerOf(database.rpc("attach_stripe_customer", {
    p_organization_id: organizationId,
    p_stripe_customer_id: customer.id,
    p_actor: actor,
    ...(deleted === null ? {} : { p_deleted_customer_id: deleted }),
  }));
  await stripeAnswer(stripe.customers.update(attached, { name: started.organizationName }));
  return attached;
}

async function closeEarlierSessions(
  { database, stripe }: Connections,
  customer: string,
  { organizationId }: Purchase,
  { seatChangeId }: StartedCheckout,
): Promise<void> {
  const open = await stripeAnswer(
    stripe.checkout.sessions.list({ customer, status: "open", limit: 100 }),
  );
  const others = open.data.filter(({ metadata }) =>
    metadata?.["organization_id"] === organizationId &&
    metadata["seat_change_id"] !== seatChangeId
  );
  if (others.length === 0) return;
  // Not all of them are earlier: while this click was under way, another may have taken its place.
  const current = await answerOf(
    database.from("seat_changes").select("id")
      .eq("organization_id", organizationId).eq("state", "open").maybeSingle(),
  );
  const earlier = others.filter(({ metadata }) => metadata?.["seat_change_id"] !== current?.id);
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
