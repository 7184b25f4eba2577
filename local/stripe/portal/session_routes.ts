import type { Stripe } from "stripe";
import type { Account } from "../account.ts";
import type { Api } from "../api/endpoint.ts";
import { invalidRequest } from "../api/errors.ts";
import { newId } from "../api/ids.ts";
import { paramsOf, text, webAddress } from "../api/params.ts";
import { liveCustomer } from "../customers/customer.ts";
import { configurationOf } from "./configuration_routes.ts";

const createParams = paramsOf<Stripe.BillingPortal.SessionCreateParams>()({
  configuration: text.optional(),
  customer: text,
  locale: text.optional(),
  return_url: webAddress.optional(),
});

/** The endpoint that opens the customer portal. */
export function portalSessionRoutes(api: Api): void {
  api.post("/v1/billing_portal/sessions", createParams, ({ account, params }) => {
    const { id: customer } = liveCustomer(account, params.customer, "customer");
    if (params.configuration === undefined) {
      throw invalidRequest(
        "No configuration provided and your test mode default configuration has not been created. " +
          "Provide a configuration or create your default in the Dashboard.",
      );
    }
    const configuration = configurationOf(account, params.configuration, "configuration");
    if (!configuration.active) {
      throw invalidRequest("The configuration is not active.", { param: "configuration" });
    }
    const id = newId("bps");
    const session: Stripe.BillingPortal.Session = {
      id,
      object: "billing_portal.session",
      configuration: configuration.id,
      created: account.clock.now(),
      customer,
      customer_account: null,
      flow: null,
      livemode: false,
      locale: params.locale ?? null,
      on_behalf_of: null,
      return_url: params.return_url ?? configuration.default_return_url,
      url: portalUrl(account, id),
    };
    account.state.portalSessions[id] = session;
    account.emit("billing_portal.session.created", session);
    return session;
  });
}

function portalUrl(account: Account, id: string): string {
  return `${account.url}/p/session/${id}`;
}
