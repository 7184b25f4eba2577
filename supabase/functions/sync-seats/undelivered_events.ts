import Stripe from "stripe";
import { answerOf, toJson } from "../_shared/database.ts";
import { describeError, log } from "../_shared/log.ts";
import { stripeAnswer } from "../_shared/stripe.ts";
import { applyStripeEvent, readSubscription } from "../_shared/stripe_events.ts";
import type { Connections } from "./connections.ts";
import { ONCE } from "./stripe_state.ts";

/** The types that `apply_stripe_event` works off (Stripe takes twenty of them in a question). */
export const EVENT_TYPES = [
  "checkout.session.completed",
  "checkout.session.async_payment_succeeded",
  "checkout.session.async_payment_failed",
  "checkout.session.expired",
  "customer.subscription.created",
  "customer.subscription.updated",
  "customer.subscription.deleted",
  "customer.subscription.pending_update_applied",
  "customer.subscription.pending_update_expired",
  "invoice.paid",
  "invoice.payment_failed",
] as const;

/**
 * How old an event must be, in seconds. Until then its delivery, or the first repetitions of it, are
 * still under way and nothing is lost yet; what Stripe delivers later finds the event in the ledger.
 */
const MIN_AGE = 10 * 60;

/** How many are applied in one sweep, which has organizations to compare as well. */
const LIMIT = 200;

/** What became of the events that Stripe failed to deliver. */
export interface Recovery {
  /** How many were applied. */
  readonly recovered: number;
  /** The time, in seconds, up to which all have been seen to; null when Stripe could not be asked. */
  readonly until: number | null;
}

/**
 * Fetches the events that Stripe failed to deliver and applies those that are not in the ledger,
 * oldest first. Each is looked at once: the next sweep goes on from `until`. Nothing depends on it
 * for long, since every organization is compared with Stripe anyway, but the account book then tells
 * what happened, and in whose name. What fails is logged, and tried again by the next sweep.
 *
 * @param since where the last sweep ended, in seconds.
 */
export async function recoverEvents(
  connections: Connections,
  since: number,
  requestId: string,
): Promise<Recovery> {
  try {
    const until = Math.max(since, Math.floor(Date.now() / 1000) - MIN_AGE);
    const missed = await unknownOf(connections, await readUndelivered(connections, since, until));
    const failed: Stripe.Event[] = [];
    for (const event of missed.slice(0, LIMIT)) {
      if (!await isApplied(connections, event, requestId)) failed.push(event);
    }
    const [left] = [...failed, ...missed.slice(LIMIT)];
    return {
      recovered: Math.min(missed.length, LIMIT) - failed.length,
      until: left === undefined ? until : left.created - 1,
    };
  } catch (error) {
    logFailure(requestId, null, error);
    return { recovered: 0, until: null };
  }
}

/** Stripe's undelivered events of a span of time, oldest first. */
async function readUndelivered(
  { stripe, stripePace }: Connections,
  since: number,
  until: number,
): Promise<Stripe.Event[]> {
  const events: Stripe.Event[] = [];
  let last: { starting_after?: string } = {};
  for (;;) {
    const page = await stripePace.call(() =>
      stripeAnswer(stripe.events.list({
        delivery_success: false,
        types: [...EVENT_TYPES],
        created: { gt: since, lte: until },
        limit: 100,
        ...last,
      }, ONCE))
    );
    // An event is kept in the version of the API that the account had then, which need not be that
    // of the endpoint (Stripe: Event object, api_version): another one is not ours to read.
    events.push(...page.data.filter((event) => event.api_version === Stripe.API_VERSION));
    const lastId = page.data.at(-1)?.id;
    if (!page.has_more || lastId === undefined) return events.reverse();
    last = { starting_after: lastId };
  }
}

async function unknownOf(
  { database }: Connections,
  events: readonly Stripe.Event[],
): Promise<Stripe.Event[]> {
  if (events.length === 0) return [];
  const unknown = new Set(
    await answerOf(
      database.rpc("unknown_stripe_events", { p_event_ids: events.map(({ id }) => id) }),
    ),
  );
  return events.filter(({ id }) => unknown.has(id));
}

/** Applies an event; one that fails holds up no other. */
async function isApplied(
  { database, stripe, stripePace }: Connections,
  event: Stripe.Event,
  requestId: string,
): Promise<boolean> {
  try {
    const { alert, organizationId } = await applyStripeEvent(
      database,
      toJson(event),
      (id) => stripePace.call(() => readSubscription(stripe, id, ONCE)),
    );
    if (alert !== undefined) {
      const fields = { function: "sync-seats", requestId, eventId: event.id, organizationId };
      log("alert", alert, fields);
    }
    return true;
  } catch (error) {
    logFailure(requestId, event.id, error);
    return false;
  }
}

function logFailure(requestId: string, eventId: string | null, error: unknown): void {
  log("error", "undelivered event not recovered", {
    function: "sync-seats",
    requestId,
    eventId,
    cause: describeError(error),
  });
}
