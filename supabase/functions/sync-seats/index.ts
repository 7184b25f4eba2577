import { alertWith } from "../_shared/alerts.ts";
import { clerkRateLimit, connectClerk } from "../_shared/clerk.ts";
import { readConfig } from "../_shared/config.ts";
import { withCors } from "../_shared/cors.ts";
import { connectDatabase } from "../_shared/database.ts";
import { connectStripe } from "../_shared/stripe.ts";
import { hasSecretKey } from "../_shared/secret_key.ts";
import { createHandler } from "./handler.ts";
import { Pace } from "./pace.ts";

const config = readConfig(
  "STRIPE_SECRET_KEY",
  "STRIPE_API_BASE",
  "STRIPE_REQUESTS_PER_SECOND",
  "CLERK_SECRET_KEY",
  "CLERK_API_URL",
  "CLERK_REQUESTS_PER_SECOND",
  "CLERK_JWT_KEY",
  "CLERK_AUTHORIZED_PARTIES",
  "SENTRY_DSN",
);
const dependencies = {
  config,
  database: connectDatabase(),
  stripe: connectStripe(config),
  stripePace: new Pace(config.STRIPE_REQUESTS_PER_SECOND),
  clerk: connectClerk(config),
  clerkPace: new Pace(
    config.CLERK_REQUESTS_PER_SECOND ?? clerkRateLimit(config.CLERK_SECRET_KEY),
  ),
  alert: alertWith(config.SENTRY_DSN),
};
const handle = {
  secret: createHandler(dependencies, "secret key"),
  none: createHandler(dependencies, "session"),
};

export default {
  fetch: withCors(async (request) =>
    await hasSecretKey(request) ? await handle.secret(request) : await handle.none(request)
  ),
};
