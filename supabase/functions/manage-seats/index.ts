import { withSupabase } from "@supabase/server";
import { alertWith } from "../_shared/alerts.ts";
import { readConfig } from "../_shared/config.ts";
import { connectDatabase } from "../_shared/database.ts";
import { connectStripe } from "../_shared/stripe.ts";
import { createHandler } from "./handler.ts";

const config = readConfig(
  "SITE_URL",
  "ALLOWED_RETURN_ORIGINS",
  "STRIPE_SECRET_KEY",
  "STRIPE_API_BASE",
  "CLERK_JWT_KEY",
  "CLERK_AUTHORIZED_PARTIES",
  "SENTRY_DSN",
);
const handler = createHandler({
  config,
  database: connectDatabase(),
  stripe: connectStripe(config),
  alert: alertWith(config.SENTRY_DSN),
  now: Date.now,
});

// Supabase's own, and the key that a browser sends with a change.
const cors = {
  headers: {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, DELETE",
    "Access-Control-Allow-Headers":
      "authorization, x-client-info, apikey, content-type, idempotency-key, x-retry-count, " +
      "traceparent, tracestate, baggage",
  },
};

export default { fetch: withSupabase({ auth: "none", cors }, (request) => handler(request)) };
