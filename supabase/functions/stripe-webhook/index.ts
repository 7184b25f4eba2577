import { readConfig } from "../_shared/config.ts";
import { connectDatabase } from "../_shared/database.ts";
import { limitPusher } from "../_shared/limit_pusher.ts";
import { connectStripe } from "../_shared/stripe.ts";
import { createHandler } from "./handler.ts";

const config = readConfig(
  "STRIPE_SECRET_KEY",
  "STRIPE_API_BASE",
  "STRIPE_WEBHOOK_SECRET",
  "CLERK_SECRET_KEY",
  "CLERK_API_URL",
);
const database = connectDatabase();
const handler = createHandler({
  secrets: config.STRIPE_WEBHOOK_SECRET,
  database,
  stripe: connectStripe(config),
  pushLimit: limitPusher(database, config),
});

export default { fetch: handler };
