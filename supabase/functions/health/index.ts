import { withSupabase } from "@supabase/server";
import { connectDatabase, legacyKeys } from "../_shared/database.ts";
import { createHandler } from "./handler.ts";

const database = connectDatabase();
const handle = {
  secret: createHandler({ database }, "secret key"),
  none: createHandler({ database }, "nothing"),
};

export default {
  fetch: withSupabase(
    { auth: ["secret:*", "none"], cors: "disabled", env: legacyKeys() },
    (request, { authMode }) =>
      authMode === "secret" ? handle.secret(request) : handle.none(request),
  ),
};
