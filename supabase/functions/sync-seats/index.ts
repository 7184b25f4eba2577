import { withSupabase } from "@supabase/server";
import { connectClerk } from "../_shared/clerk.ts";
import { readConfig } from "../_shared/config.ts";
import { connectDatabase, legacyKeys } from "../_shared/database.ts";
import { connectStripe } from "../_shared/stripe.ts";
import { createHandler } from "./handler.ts";

const config = readConfig(
  "STRIPE_SECRET_KEY",
  "STRIPE_API_BASE",
  "CLERK_SECRET_KEY",
  "CLERK_API_URL",
  "CLERK_JWT_KEY",
  "CLERK_AUTHORIZED_PARTIES",
);
const dependencies = {
  config,
  database: connectDatabase(),
  stripe: connectStripe(config),
  clerk: connectClerk(config),
};
const handle = {
  secret: createHandler(dependencies, "secret key"),
  none: createHandler(dependencies, "session"),
};

export default {
  fetch: withSupabase(
    { auth: ["secret:*", "none"], env: legacyKeys() },
    (request, { authMode }) =>
      authMode === "secret" ? handle.secret(request) : handle.none(request),
  ),
};
