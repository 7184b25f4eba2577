import { connectClerk } from "../_shared/clerk.ts";
import { readConfig } from "../_shared/config.ts";
import { withCors } from "../_shared/cors.ts";
import { connectDatabase } from "../_shared/database.ts";
import { createHandler } from "./handler.ts";

const config = readConfig(
  "CLERK_SECRET_KEY",
  "CLERK_API_URL",
  "CLERK_JWT_KEY",
  "CLERK_AUTHORIZED_PARTIES",
);
const handler = createHandler({
  config,
  database: connectDatabase(),
  clerk: connectClerk(config),
});

export default { fetch: withCors(handler) };
