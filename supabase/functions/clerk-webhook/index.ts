import { withSupabase } from "@supabase/server";
import { readConfig } from "../_shared/config.ts";
import { connectDatabase, legacyKeys } from "../_shared/database.ts";
import { createHandler } from "./handler.ts";

const config = readConfig("CLERK_WEBHOOK_SIGNING_SECRET");
const handler = createHandler({
  secrets: config.CLERK_WEBHOOK_SIGNING_SECRET,
  database: connectDatabase(),
});

export default {
  fetch: withSupabase(
    { auth: "none", cors: "disabled", env: legacyKeys() },
    (request) => handler(request),
  ),
};
