import { withSupabase } from "@supabase/server";
import { connectClerk } from "../_shared/clerk.ts";
import { readConfig } from "../_shared/config.ts";
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

// Supabase's own headers, and the methods that a browser uses here.
const cors = {
  headers: {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, PATCH, DELETE",
    "Access-Control-Allow-Headers":
      "authorization, x-client-info, apikey, content-type, x-retry-count, " +
      "traceparent, tracestate, baggage",
  },
};

export default { fetch: withSupabase({ auth: "none", cors }, (request) => handler(request)) };
