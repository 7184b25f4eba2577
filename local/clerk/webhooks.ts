import type {
  DeletedObjectJSON,
  OrganizationInvitationJSON,
  OrganizationJSON,
  OrganizationMembershipJSON,
  WebhookEvent,
} from "@clerk/backend";
import type { Context } from "hono";
import { Webhook } from "svix";
import type { Deliveries } from "../emulation/deliveries.ts";
import type { Delivery } from "../emulation/delivery_records.ts";
import { newId } from "./ids.ts";
import type { ClerkState } from "./state.ts";

/** The request that caused an event, as the event tells it. */
export type EventCause = WebhookEvent["event_attributes"];

/** An accepted invitation says who accepted it. */
export type AcceptedInvitationJSON = OrganizationInvitationJSON & {
  status: "accepted";
  user_id: string;
};

/** The nine events about organizations, each with its data. */
export type OrganizationEvent =
  | { type: "organization.created" | "organization.updated"; data: OrganizationJSON }
  | { type: "organization.deleted"; data: DeletedObjectJSON }
  | {
    type:
      | "organizationMembership.created"
      | "organizationMembership.updated"
      | "organizationMembership.deleted";
    data: OrganizationMembershipJSON;
  }
  | {
    type: "organizationInvitation.created" | "organizationInvitation.revoked";
    data: OrganizationInvitationJSON;
  }
  | { type: "organizationInvitation.accepted"; data: AcceptedInvitationJSON };

/** The body of a delivery: the SDK's event and the two fields that it leaves out. */
export type EventEnvelope = OrganizationEvent & {
  object: "event";
  event_attributes: EventCause;
  instance_id: string;
  /** Milliseconds, as documented. */
  timestamp: number;
};

// Keeps the envelope in step with the SDK: it does not compile where the SDK's type disagrees.
const asSdkEvent = (envelope: EventEnvelope): WebhookEvent => envelope;

/** Reads off a request what its events tell about it. */
export function causeOf(context: Context): EventCause {
  return {
    http_request: {
      client_ip: "127.0.0.1",
      user_agent: context.req.header("user-agent") ?? "",
    },
  };
}

/** Puts an event into the outbox, once for every endpoint, under one message id. */
export function enqueueEvent(
  state: ClerkState,
  deliveries: Deliveries,
  event: OrganizationEvent,
  cause: EventCause,
): void {
  const envelope: EventEnvelope = {
    ...event,
    object: "event",
    event_attributes: cause,
    instance_id: state.instanceId,
    timestamp: Date.now(),
  };
  const eventId = newId("msg");
  const payload = JSON.stringify(asSdkEvent(envelope));
  for (const { id, url } of Object.values(state.webhookEndpoints)) {
    deliveries.enqueue({ endpointUrl: url, secretRef: id, eventId, type: event.type, payload });
  }
}

/**
 * Svix's headers for one attempt (docs.svix.com/receiving/verifying-payloads/how-manual). Throws
 * where the endpoint is gone.
 */
export function signDelivery(state: ClerkState, delivery: Delivery): Record<string, string> {
  const endpoint = state.webhookEndpoints[delivery.secretRef];
  if (endpoint === undefined) throw new Error(`The endpoint ${delivery.url} was removed.`);
  const now = new Date();
  return {
    "svix-id": delivery.eventId,
    "svix-timestamp": String(Math.floor(now.getTime() / 1000)),
    "svix-signature": new Webhook(endpoint.secret).sign(delivery.eventId, now, delivery.payload),
    "user-agent": "Svix-Webhooks/emulated",
  };
}
