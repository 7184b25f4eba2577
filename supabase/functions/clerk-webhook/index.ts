import { connectClerk } from "../_shared/clerk.ts";
import { readConfig } from "../_shared/config.ts";
import { connectDatabase } from "../_shared/database.ts";
import { createHandler } from "./handler.ts";

const config = readConfig("CLERK_WEBHOOK_SIGNING_SECRET", "CLERK_SECRET_KEY", "CLERK_API_URL");
const handler = createHandler({
  secrets: config.CLERK_WEBHOOK_SIGNING_SECRET,
  database: connectDatabase(),
  clerk: connectClerk(config),
});

export default { fetch: handler };
