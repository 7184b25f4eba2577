import { membershipEvent, newCast } from "../tests/functions/clerk-webhook/published_events.ts";
import { headersOf } from "../tests/functions/clerk-webhook/deliveries.ts";
import type { Clients } from "../tests/functions/clients.ts";
import type { Organization } from "../tests/functions/organizations.ts";
import { signatureOf } from "../tests/functions/stripe-webhook/deliveries.ts";
import {
  publishedEvent,
  publishedSubscription,
} from "../tests/functions/stripe-webhook/published_events.ts";
import type { Load } from "./load.ts";

/** A request that a function answers with 2xx, by the function's name. */
export type Requests = Readonly<
  Record<
    string,
    Pick<Load, "method" | "headers" | "body"> & {
      /** Below the process's address. */
      readonly path: string;
    }
  >
>;

/** One good request to each function, of an organization whose admin asks. */
export async function requestsTo(
  clients: Clients,
  { id, token }: Organization,
): Promise<Requests> {
  const authorization = `Bearer ${token}`;
  const json = { authorization, "content-type": "application/json" };
  const purchase = {
    organizationId: crypto.randomUUID(),
    customerId: "cus_nobody",
    subscriptionId: "sub_nobody",
    at: Math.floor(Date.now() / 1000),
  };
  const stripeEvent = JSON.stringify(
    publishedEvent(
      purchase,
      "customer.subscription.deleted",
      publishedSubscription(purchase, 5, { status: "canceled" }),
    ),
  );
  const clerkEvent = JSON.stringify(
    membershipEvent(newCast(), { what: "created", who: "invitee", seconds: 60 }),
  );
  const wanted = { organizationId: id, plan: "pro", seats: 5, billingPeriod: "monthly" };
  return {
    "health": { path: "/health", method: "GET", headers: {} },
    "manage-seats": { path: `/manage-seats/${id}`, method: "GET", headers: { authorization } },
    "manage-members": {
      path: `/manage-members/${id}/join-requests`,
      method: "GET",
      headers: { authorization },
    },
    "create-seat-checkout-session": {
      path: "/create-seat-checkout-session",
      method: "POST",
      headers: json,
      body: JSON.stringify(wanted),
    },
    "sync-seats": {
      path: "/sync-seats",
      method: "POST",
      headers: json,
      body: JSON.stringify({ organizationId: id }),
    },
    "stripe-webhook": {
      path: "/stripe-webhook",
      method: "POST",
      headers: { "stripe-signature": await signatureOf(clients, stripeEvent) },
      body: stripeEvent,
    },
    "clerk-webhook": {
      path: "/clerk-webhook",
      method: "POST",
      headers: { ...headersOf(clients, clerkEvent) },
      body: clerkEvent,
    },
  };
}
