import { Stripe } from "stripe";
import type { Deliveries } from "../emulation/deliveries.ts";
import type { AccountState } from "./account_state.ts";
import { newId } from "./api/ids.ts";
import type { Clock } from "./clock.ts";
import { previousAttributes } from "./events/previous_attributes.ts";

/** The API version that the installed SDK names; the only one that is emulated. */
export const API_VERSION = Stripe.API_VERSION;

/** Events that say that an object was made, has ended, or that something was done with it. */
export type EventType = Stripe.Event["type"];

/** The object that an event of a type carries. */
export type EventObject<T extends EventType> = Extract<
  Stripe.Event,
  { type: T }
>["data"]["object"];

/** The request that events are attributed to; null where Stripe itself or a customer acted. */
export interface RequestInfo {
  id: string;
  idempotencyKey: string | null;
}

/** The emulated Stripe account, as everything that works on it gets it. */
export interface Account {
  readonly state: AccountState;
  readonly clock: Clock;
  /** Where the emulator listens, without a trailing slash. */
  readonly url: string;
  /** The same account at another time, for objects that live in one. */
  at(clock: Clock): Account;
  /** Records an event and sends it to the endpoints that want it. */
  emit<T extends EventType>(type: T, object: EventObject<T>): void;
  /**
   * The same for an object that has changed: the event names what it was before. Without any
   * change there is no event.
   */
  emitChange<T extends EventType>(type: T, before: EventObject<T>, after: EventObject<T>): void;
}

/** What accounts are made from; the same over the life of the emulator. */
export interface AccountParts {
  state: AccountState;
  clock: Clock;
  url: string;
  deliveries: Deliveries;
}

/** The account as one request (or, with null, Stripe itself) acts on it. */
export function accountFor(
  parts: AccountParts,
  request: RequestInfo | null,
  clock: Clock = parts.clock,
): Account {
  const record = (type: EventType, object: object, previous?: object) => {
    const endpoints = Object.values(parts.state.webhookEndpoints)
      .filter(({ status, enabled_events: wanted }) =>
        status === "enabled" && (wanted.includes("*") || wanted.includes(type))
      );
    const event: Stripe.EventBase = {
      id: newId("evt"),
      object: "event",
      api_version: API_VERSION,
      created: clock.now(),
      data: {
        object: asJson(object),
        ...(previous === undefined ? {} : { previous_attributes: previous }),
      },
      livemode: false,
      pending_webhooks: endpoints.length,
      request: { id: request?.id ?? null, idempotency_key: request?.idempotencyKey ?? null },
      type,
    };
    parts.state.events.put(event);
    parts.state.eventsRecordedAt[event.id] = parts.clock.now();
    const payload = JSON.stringify(event, null, 2);
    for (const endpoint of endpoints) {
      parts.deliveries.enqueue({
        endpointUrl: endpoint.url,
        secretRef: endpoint.id,
        eventId: event.id,
        type,
        payload,
      });
    }
  };
  return {
    state: parts.state,
    clock,
    url: parts.url,
    at: (other) => accountFor(parts, request, other),
    emit: (type, object) => record(type, object),
    emitChange: (type, before, after) => {
      const previous = previousAttributes(asJson(before), asJson(after));
      if (Object.keys(previous).length > 0) record(type, after, previous);
    },
  };
}

/** A copy in which everything is as it goes over the wire. */
function asJson(value: object): Record<string, unknown> {
  return JSON.parse(JSON.stringify(value));
}
