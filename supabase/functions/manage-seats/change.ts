import Stripe from "stripe";
import * as z from "zod";
import { answerOf, toJson } from "../_shared/database.ts";
import { ApiError } from "../_shared/errors.ts";
import { describeError } from "../_shared/log.ts";
import type { AdminSession } from "../_shared/session.ts";
import { answeredAt, changeKey, findPrice, stripeAnswer } from "../_shared/stripe.ts";
import { type Change, changeSchema } from "./change_answer.ts";
import type { Dependencies } from "./handler.ts";
import { hasMoved } from "./moved.ts";

/** What somebody wants to be paid for. */
export interface ChangeWish {
  readonly organizationId: string;
  readonly session: AdminSession;
  readonly seats: number;
  readonly plan?: string | undefined;
  readonly billingPeriod?: string | undefined;
  /** The moment that a preview prorated from, ISO. */
  readonly prorationDate?: string | undefined;
  readonly idempotencyKey: string;
}

const startedSchema = changeSchema.extend({
  subscriptionId: z.string(),
  itemId: z.string(),
  version: z.int(),
  lookupKey: z.string(),
  prorationDate: z.int(),
  startsPeriod: z.boolean(),
  isNew: z.boolean(),
  periodEnd: z.int(),
  planBefore: z.string(),
  seatsBefore: z.int(),
});
type Started = z.infer<typeof startedSchema>;

const settledSchema = z.union([
  changeSchema,
  z.object({ state: z.literal("ask_stripe"), version: z.int() }),
]);

/** How often Stripe's answer is fetched again because the subscription has moved meanwhile. */
const ASK_LIMIT = 5;

/** How much of Stripe's reason for a refusal is kept with the change. */
const ERROR_LENGTH = 200;

/**
 * Changes seats, plan or billing period. The database decides and makes the intent durable, Stripe
 * is asked with the intent's id as idempotency key, and what Stripe says settles it. When Stripe
 * refuses, the intent is taken back; when nobody knows how it ended, the same call again goes on
 * where this one stopped, and so does the next sweep.
 *
 * @throws {ApiError} what `start_seat_change` refuses, `stripe_refused_change` (409),
 * `subscription_moved` (409), `stripe_unavailable` (503), `change_stuck` (503).
 */
export async function changeSeats(
  dependencies: Dependencies,
  wish: ChangeWish,
): Promise<Change> {
  const started = await start(dependencies, wish);
  if (started.state === "awaiting_payment" && started.paymentUrl === null) {
    // An event, which names no page to pay on, came before Stripe's answer, and that got lost.
    return await settle(dependencies, wish, started, await readSubscription(dependencies, started));
  }
  if (started.state !== "open") return changeSchema.parse(started);
  let subscription: Stripe.Response<Stripe.Subscription>;
  try {
    // Stripe would make a free change of anything: first it has to be what it was judged by.
    if (started.kind === "renewal") await requireUnmoved(dependencies, wish, started);
    subscription = await updateSubscription(dependencies, started);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return await takeBack(dependencies, wish, started, error);
  }
  return await settle(dependencies, wish, started, subscription);
}

async function start({ database, now }: Dependencies, wish: ChangeWish): Promise<Started> {
  return startedSchema.parse(
    await answerOf(database.rpc("start_seat_change", {
      p_organization_id: wish.organizationId,
      p_clerk_org_id: wish.session.clerkOrgId,
      p_seats: wish.seats,
      p_idempotency_key: wish.idempotencyKey,
      p_actor: wish.session.userId,
      p_now: new Date(now()).toISOString(),
      ...priceArguments(wish),
      ...(wish.prorationDate === undefined ? {} : { p_proration_date: wish.prorationDate }),
    })),
  );
}

/** The wished price as arguments of the database's functions, which keep what is left out. */
export function priceArguments(
  { plan, billingPeriod }: { plan?: string | undefined; billingPeriod?: string | undefined },
): { p_plan?: string; p_billing_period?: string } {
  return {
    ...(plan === undefined ? {} : { p_plan: plan }),
    ...(billingPeriod === undefined ? {} : { p_billing_period: billingPeriod }),
  };
}

async function updateSubscription(
  { stripe }: Dependencies,
  { seatChangeId, subscriptionId, itemId, lookupKey, seats, kind, prorationDate, startsPeriod }:
    Started,
): Promise<Stripe.Response<Stripe.Subscription>> {
  const price = await findPrice(stripe, lookupKey);
  // Charged now: the subscription stays as it is until the invoice is paid (Stripe: pending
  // updates). At renewal: the lower quantity is billed from the next invoice on.
  const billing: Stripe.SubscriptionUpdateParams = kind === "now"
    ? {
      proration_behavior: "always_invoice",
      payment_behavior: "pending_if_incomplete",
      proration_date: prorationDate,
      ...periodStart(startsPeriod),
    }
    : { proration_behavior: "none" };
  return await stripeAnswer(stripe.subscriptions.update(subscriptionId, {
    items: [{ id: itemId, price, quantity: seats }],
    ...billing,
    expand: ["latest_invoice"],
  }, { idempotencyKey: changeKey(seatChangeId) }));
}

/** Another billing period begins with the change (Stripe: billing cycle, resetting the anchor). */
export function periodStart(
  startsPeriod: boolean,
): { billing_cycle_anchor?: { type: "now" } } {
  return startsPeriod ? { billing_cycle_anchor: { type: "now" } } : {};
}

/** Stripe has said no, for good: asking again would bring the same answer. */
function isRefusal(error: unknown): error is ApiError {
  return error instanceof ApiError && error.code === "stripe_error";
}

/** Takes a change back whose subscription is not what was known of it, and takes in what it is. */
async function requireUnmoved(
  dependencies: Dependencies,
  wish: ChangeWish,
  started: Started,
): Promise<void> {
  const shown = await readSubscription(dependencies, started);
  if (!hasMoved(started, shown)) return;
  await settle(dependencies, wish, started, shown, "subscription_moved");
  throw ApiError.of("subscription_moved", "The subscription has just changed. Look again.", {
    details: { seatChangeId: started.seatChangeId },
  });
}

async function takeBack(
  { database, alert }: Dependencies,
  wish: ChangeWish,
  started: Started,
  refusal: ApiError,
): Promise<never> {
  const reason = describeError(refusal.cause);
  const p_error = reason.slice(0, ERROR_LENGTH);
  try {
    await answerOf(database.rpc("settle_seat_change", {
      p_seat_change_id: started.seatChangeId,
      p_answer: {},
      p_error,
    }));
  } catch (error) {
    // Where even this fails the change stays open, which a sweep settles alike.
    await database.rpc("mark_seat_change_stuck", {
      p_seat_change_id: started.seatChangeId,
      p_error,
    });
    await alert("seat change stuck", {
      function: "manage-seats",
      organizationId: wish.organizationId,
      seatChangeId: started.seatChangeId,
      seatsBefore: started.seatsBefore,
      seats: started.seats,
      planBefore: started.planBefore,
      plan: started.plan,
      refusal: reason,
      cause: describeError(error),
    });
    throw ApiError.of(
      "change_stuck",
      "Stripe refused the change, and it could not be taken back.",
      {
        details: { seatChangeId: started.seatChangeId },
        cause: error,
      },
    );
  }
  throw ApiError.of("stripe_refused_change", "Stripe refused the change. Nothing has changed.", {
    details: { seatChangeId: started.seatChangeId },
    cause: refusal.cause,
  });
}

async function readSubscription(
  { stripe }: Dependencies,
  { subscriptionId }: Started,
): Promise<Stripe.Response<Stripe.Subscription>> {
  return await stripeAnswer(
    stripe.subscriptions.retrieve(subscriptionId, { expand: ["latest_invoice"] }),
  );
}

async function settle(
  dependencies: Dependencies,
  wish: ChangeWish,
  started: Started,
  answer: Stripe.Response<Stripe.Subscription>,
  error?: string,
): Promise<Change> {
  let version = started.version;
  let subscription = answer;
  for (let asked = 0; asked <= ASK_LIMIT; asked++) {
    const settled = settledSchema.parse(
      await answerOf(dependencies.database.rpc("settle_seat_change", {
        p_seat_change_id: started.seatChangeId,
        p_answer: {
          version,
          readAt: answeredAt(subscription),
          subscription: toJson(subscription),
          paymentUrl: paymentUrl(subscription),
        },
        ...(error === undefined ? {} : { p_error: error }),
      })),
    );
    if (settled.state !== "ask_stripe") return settled as Change;
    ({ version } = settled as { version: number });
    subscription = await readSubscription(dependencies, started);
  }
  throw ApiError.of("database_unavailable", "The subscription keeps changing. Try again.", {
    retryAfter: 5,
    details: { organizationId: wish.organizationId },
  });
}

function paymentUrl({ latest_invoice: invoice }: Stripe.Subscription): string | null {
  return invoice === null || typeof invoice === "string"
    ? null
    : invoice.hosted_invoice_url ?? null;
}
