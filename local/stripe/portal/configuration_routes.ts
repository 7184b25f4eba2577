import type { Stripe } from "stripe";
import { z } from "zod";
import type { Account } from "../account.ts";
import { newestFirst } from "../account_state.ts";
import type { Api } from "../api/endpoint.ts";
import { resourceMissing } from "../api/errors.ts";
import { newId } from "../api/ids.ts";
import { pageOf } from "../api/listing.ts";
import {
  boolean,
  clearableText,
  mergeMetadata,
  metadata,
  pagination,
  paramsOf,
  webAddress,
} from "../api/params.ts";
import { cancelReasons } from "../subscriptions/update.ts";

type Configuration = Stripe.BillingPortal.Configuration;

const behaviour = z.enum(["always_invoice", "create_prorations", "none"]);
const noneOr = <T extends z.ZodType>(list: T) => z.union([z.literal("").transform(() => []), list]);
const features = z.strictObject({
  customer_update: z.strictObject({
    allowed_updates: noneOr(
      z.array(z.enum(["address", "email", "name", "phone", "shipping", "tax_id"])),
    ).default([]),
    enabled: boolean,
  }),
  invoice_history: z.strictObject({ enabled: boolean }),
  payment_method_update: z.strictObject({ enabled: boolean }),
  subscription_cancel: z.strictObject({
    cancellation_reason: z.strictObject({
      enabled: boolean,
      options: noneOr(z.array(cancelReasons)),
    }).optional(),
    enabled: boolean,
    mode: z.enum(["at_period_end", "immediately"]).default("at_period_end"),
    proration_behavior: behaviour.default("none"),
  }),
  // Prices and quantities can't be changed on the emulated page.
  subscription_update: z.strictObject({
    default_allowed_updates: noneOr(z.array(z.enum(["price", "promotion_code", "quantity"])))
      .default([]),
    enabled: z.enum(["false"]).transform(() => false),
    proration_behavior: behaviour.default("none"),
  }),
}).partial();
const fields = {
  business_profile: z.strictObject({
    headline: clearableText.optional(),
    privacy_policy_url: webAddress.optional(),
    terms_of_service_url: webAddress.optional(),
  }).optional(),
  default_return_url: z.union([z.literal("").transform(() => null), webAddress]).optional(),
  metadata: metadata.optional(),
  name: clearableText.optional(),
};
const createParams = paramsOf<Stripe.BillingPortal.ConfigurationCreateParams>()({
  ...fields,
  features,
});
const updateParams = paramsOf<Stripe.BillingPortal.ConfigurationUpdateParams>()({
  ...fields,
  active: boolean.optional(),
  features: features.optional(),
});
const retrieveParams = paramsOf<Stripe.BillingPortal.ConfigurationRetrieveParams>()({});
const listParams = paramsOf<Stripe.BillingPortal.ConfigurationListParams>()({
  ...pagination,
  active: boolean.optional(),
  is_default: boolean.optional(),
});

/** Endpoints of portal configurations. None is the default one: that is made in the Dashboard. */
export function portalConfigurationRoutes(api: Api): void {
  const path = "/v1/billing_portal/configurations";
  api.post(path, createParams, ({ account, params }) => {
    const now = account.clock.now();
    const configuration = put(account, {
      id: newId("bpc"),
      object: "billing_portal.configuration",
      active: true,
      application: null,
      business_profile: profileOf(NO_PROFILE, params.business_profile),
      created: now,
      default_return_url: params.default_return_url ?? null,
      features: featuresOf(NO_FEATURES, params.features),
      is_default: false,
      livemode: false,
      login_page: { enabled: false, url: null },
      metadata: mergeMetadata({}, params.metadata),
      name: params.name ?? null,
      updated: now,
    });
    account.emit("billing_portal.configuration.created", configuration);
    return configuration;
  });
  api.post(`${path}/:id`, updateParams, ({ account, params, id }) => {
    const before = configurationOf(account, id);
    const { active, name, default_return_url: returnUrl } = params;
    const after = put(account, {
      ...before,
      active: active ?? before.active,
      business_profile: profileOf(before.business_profile, params.business_profile),
      default_return_url: returnUrl === undefined ? before.default_return_url : returnUrl,
      features: featuresOf(before.features, params.features ?? {}),
      metadata: mergeMetadata(before.metadata ?? {}, params.metadata),
      name: name === undefined ? before.name : name,
      updated: account.clock.now(),
    });
    account.emitChange("billing_portal.configuration.updated", before, after);
    return after;
  });
  api.get(`${path}/:id`, retrieveParams, ({ account, id }) => configurationOf(account, id));
  api.get(path, listParams, ({ account, params }) => {
    const { active, is_default: isDefault } = params;
    const configurations = newestFirst(account.state.portalConfigurations).filter((one) =>
      (active === undefined || one.active === active) &&
      (isDefault === undefined || one.is_default === isDefault)
    );
    return pageOf(configurations, params, "configuration", path);
  });
}

/** The portal configuration with this id. Throws resource_missing. */
export function configurationOf(account: Account, id: string, param?: string): Configuration {
  const configuration = account.state.portalConfigurations[id];
  if (configuration === undefined) throw resourceMissing("configuration", id, param);
  return configuration;
}

const NO_PROFILE: Configuration["business_profile"] = {
  headline: null,
  privacy_policy_url: null,
  terms_of_service_url: null,
};
const NO_FEATURES: Configuration["features"] = {
  customer_update: { allowed_updates: [], enabled: false },
  invoice_history: { enabled: false },
  payment_method_update: { enabled: false, payment_method_configuration: null },
  subscription_cancel: {
    cancellation_reason: { enabled: false, feedback_options: null, options: [] },
    enabled: false,
    mode: "at_period_end",
    proration_behavior: "none",
  },
  subscription_pause: {
    duration: { interval_options: [], type: "indefinite" },
    enabled: false,
  },
  subscription_update: {
    billing_cycle_anchor: null,
    default_allowed_updates: [],
    enabled: false,
    products: [],
    proration_behavior: "none",
    schedule_at_period_end: { conditions: [] },
    trial_update_behavior: "end_trial",
  },
};

function featuresOf(
  before: Configuration["features"],
  sent: z.output<typeof features>,
): Configuration["features"] {
  const reason = sent.subscription_cancel?.cancellation_reason;
  const { cancellation_reason: known } = before.subscription_cancel;
  return {
    ...before,
    customer_update: sent.customer_update ?? before.customer_update,
    invoice_history: sent.invoice_history ?? before.invoice_history,
    payment_method_update: { ...before.payment_method_update, ...sent.payment_method_update },
    subscription_cancel: {
      ...before.subscription_cancel,
      ...sent.subscription_cancel,
      cancellation_reason: { ...known, ...reason },
    },
    subscription_update: { ...before.subscription_update, ...sent.subscription_update },
  };
}

function profileOf(
  before: Configuration["business_profile"],
  sent: z.output<typeof createParams>["business_profile"],
): Configuration["business_profile"] {
  const { headline, privacy_policy_url, terms_of_service_url } = sent ?? {};
  return {
    headline: headline === undefined ? before.headline : headline,
    privacy_policy_url: privacy_policy_url ?? before.privacy_policy_url,
    terms_of_service_url: terms_of_service_url ?? before.terms_of_service_url,
  };
}

function put(account: Account, configuration: Configuration): Configuration {
  account.state.portalConfigurations[configuration.id] = configuration;
  return configuration;
}
