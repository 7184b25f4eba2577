import type { Stripe } from "stripe";
import { z } from "zod";
import type { Account } from "../account.ts";
import { API_VERSION } from "../account.ts";
import { newestFirst } from "../account_state.ts";
import type { Api } from "../api/endpoint.ts";
import { resourceMissing } from "../api/errors.ts";
import { newId, randomText } from "../api/ids.ts";
import { pageOf } from "../api/listing.ts";
import {
  boolean,
  clearableText,
  mergeMetadata,
  metadata,
  pagination,
  paramsOf,
  text,
  webAddress,
} from "../api/params.ts";

const enabledEvents = z.array(text).min(1);
const createParams = paramsOf<Stripe.WebhookEndpointCreateParams>()({
  api_version: z.enum([API_VERSION]).optional(),
  description: clearableText.optional(),
  enabled_events: enabledEvents,
  metadata: metadata.optional(),
  url: webAddress,
});
const updateParams = paramsOf<Stripe.WebhookEndpointUpdateParams>()({
  description: clearableText.optional(),
  disabled: boolean.optional(),
  enabled_events: enabledEvents.optional(),
  metadata: metadata.optional(),
  url: webAddress.optional(),
});
const retrieveParams = paramsOf<Stripe.WebhookEndpointRetrieveParams>()({});
const listParams = paramsOf<Stripe.WebhookEndpointListParams>()(pagination);

/** Endpoints of webhook endpoints. The secret is in the answer that creates one, and only there. */
export function webhookEndpointRoutes(api: Api): void {
  api.post("/v1/webhook_endpoints", createParams, ({ account, params }) => {
    const endpoint: Stripe.WebhookEndpoint = {
      id: newId("we"),
      object: "webhook_endpoint",
      api_version: params.api_version ?? null,
      application: null,
      created: account.clock.now(),
      description: params.description ?? null,
      enabled_events: params.enabled_events,
      livemode: false,
      metadata: mergeMetadata({}, params.metadata),
      status: "enabled",
      url: params.url,
    };
    const secret = `whsec_${randomText(32)}`;
    account.state.webhookEndpoints[endpoint.id] = endpoint;
    account.state.webhookSecrets[endpoint.id] = secret;
    return { ...endpoint, secret };
  });
  api.post("/v1/webhook_endpoints/:id", updateParams, ({ account, params, id }) => {
    const before = endpointOf(account, id);
    const { disabled } = params;
    const after: Stripe.WebhookEndpoint = {
      ...before,
      description: params.description === undefined ? before.description : params.description,
      enabled_events: params.enabled_events ?? before.enabled_events,
      metadata: mergeMetadata(before.metadata, params.metadata),
      status: disabled === undefined ? before.status : disabled ? "disabled" : "enabled",
      url: params.url ?? before.url,
    };
    account.state.webhookEndpoints[id] = after;
    return after;
  });
  api.get("/v1/webhook_endpoints/:id", retrieveParams, ({ account, id }) => {
    return endpointOf(account, id);
  });
  api.get("/v1/webhook_endpoints", listParams, ({ account, params }) => {
    const endpoints = newestFirst(account.state.webhookEndpoints);
    return pageOf(endpoints, params, "webhook endpoint", "/v1/webhook_endpoints");
  });
  api.delete("/v1/webhook_endpoints/:id", retrieveParams, ({ account, id }) => {
    endpointOf(account, id);
    delete account.state.webhookEndpoints[id];
    return {
      id,
      object: "webhook_endpoint",
      deleted: true,
    } satisfies Stripe.DeletedWebhookEndpoint;
  });
}

function endpointOf(account: Account, id: string): Stripe.WebhookEndpoint {
  const endpoint = account.state.webhookEndpoints[id];
  if (endpoint === undefined) throw resourceMissing("webhook endpoint", id);
  return endpoint;
}
