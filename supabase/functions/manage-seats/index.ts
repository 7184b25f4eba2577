import { alertWith } from "../_shared/alerts.ts";
import { readConfig } from "../_shared/config.ts";
import { withCors } from "../_shared/cors.ts";
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

// Beside Supabase's own, the key that a browser sends with a change.
export default { fetch: withCors(handler, "idempotency-key") };
