import { withSupabase } from "@supabase/server";
import { corsHeaders } from "@supabase/supabase-js/cors";
import { alertWith } from "../_shared/alerts.ts";
import { readConfig } from "../_shared/config.ts";
import { connectDatabase, legacyKeys } from "../_shared/database.ts";
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
const headers = {
  ...corsHeaders,
  "Access-Control-Allow-Headers": `${corsHeaders["Access-Control-Allow-Headers"]}, idempotency-key`,
};

export default {
  fetch: withSupabase(
    { auth: "none", cors: { headers }, env: legacyKeys() },
    (request) => handler(request),
  ),
};
