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
);
const handler = createHandler({
  config,
  database: connectDatabase(),
  stripe: connectStripe(config),
});

export default { fetch: withCors(handler) };
