import type { Stripe } from "stripe";
import { z } from "zod";
import type { Account } from "../account.ts";
import type { Api } from "../api/endpoint.ts";
import { invalidRequest, resourceMissing } from "../api/errors.ts";
import { pageOf } from "../api/listing.ts";
import { boolean, isWithin, pagination, paramsOf, text, timeRange } from "../api/params.ts";

const KEPT_SECONDS = 30 * 24 * 60 * 60;

const retrieveParams = paramsOf<Stripe.EventRetrieveParams>()({});
const listParams = paramsOf<Stripe.EventListParams>()({
  ...pagination,
  created: timeRange.optional(),
  delivery_success: boolean.optional(),
  type: text.optional(),
  types: z.array(text).max(20).optional(),
});

/** Endpoints of events: those of the last 30 days. */
export function eventRoutes(api: Api): void {
  api.get("/v1/events/:id", retrieveParams, ({ account, id }) => {
    const event = account.state.events.get(id);
    if (event === undefined || isForgotten(account, event)) throw resourceMissing("event", id);
    return withPending(event, undelivered(account));
  });
  api.get("/v1/events", listParams, ({ account, params }) => {
    const { created, type, types, delivery_success: delivered } = params;
    if (type !== undefined && types !== undefined) {
      throw invalidRequest("You may only specify one of these parameters: type, types.");
    }
    const pending = undelivered(account);
    const { events: all } = account.state;
    const candidates = delivered === false
      ? [...pending.keys()].reverse().flatMap((id) => all.get(id) ?? [])
      : all.newestFirst();
    const events = candidates.values().filter((event) =>
      !isForgotten(account, event) &&
      (type === undefined || isOfType(event, type)) &&
      (types === undefined || types.some((one) => isOfType(event, one))) &&
      (delivered === undefined || delivered === !pending.has(event.id)) &&
      isWithin(event.created, created)
    );
    const page = pageOf(events, params, "event", "/v1/events");
    return { ...page, data: page.data.map((event) => withPending(event, pending)) };
  });
}

/**
 * How many endpoints have yet to take each event, or never did: pending, failed and lost ones. The
 * oldest event comes first.
 */
function undelivered(account: Account): Map<string, number> {
  const missing = new Map<string, Set<string>>();
  const taken = new Set<string>();
  for (const { eventId, url, state } of account.state.deliveries) {
    if (state === "delivered") taken.add(`${eventId} ${url}`);
    else missing.set(eventId, (missing.get(eventId) ?? new Set()).add(url));
  }
  const counts = new Map<string, number>();
  for (const [eventId, urls] of missing) {
    const count = [...urls].filter((url) => !taken.has(`${eventId} ${url}`)).length;
    if (count > 0) counts.set(eventId, count);
  }
  return counts;
}

function withPending(event: Stripe.EventBase, pending: Map<string, number>): Stripe.EventBase {
  return { ...event, pending_webhooks: pending.get(event.id) ?? 0 };
}

/** An event's own time may be that of a test clock. */
function isForgotten(account: Account, { id, created }: Stripe.EventBase): boolean {
  const recorded = account.state.eventsRecordedAt[id] ?? created;
  return recorded < account.clock.now() - KEPT_SECONDS;
}

/** A type may be given as a group: `customer.*`. */
function isOfType({ type }: Stripe.EventBase, wanted: string): boolean {
  return wanted.endsWith(".*") ? type.startsWith(wanted.slice(0, -1)) : type === wanted;
}
