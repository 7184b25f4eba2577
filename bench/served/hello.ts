import { withSupabase } from "@supabase/server";

/** The least that a function can be, as the Supabase CLI writes a new one. */
export default {
  fetch: withSupabase({ auth: "none" }, () => Promise.resolve(Response.json({ hello: "world" }))),
};
