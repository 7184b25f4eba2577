import { readConfig } from "../_shared/config.ts";
import { connectDatabase } from "../_shared/database.ts";
import { limitPusher } from "../_shared/limit_pusher.ts";
import { createHandler } from "./handler.ts";

const config = readConfig("CLERK_WEBHOOK_SIGNING_SECRET", "CLERK_SECRET_KEY", "CLERK_API_URL");
const database = connectDatabase();
const handler = createHandler({
  secrets: config.CLERK_WEBHOOK_SIGNING_SECRET,
  database,
  pushLimit: limitPusher(database, config),
});

export default { fetch: handler };
