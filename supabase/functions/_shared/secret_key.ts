import { secretKeys } from "./database.ts";

/**
 * Whether a request carries one of the project's secret keys as its `apikey`.
 *
 * @throws {Error} what the library says when it cannot tell.
 */
export async function hasSecretKey(request: Request): Promise<boolean> {
  if (!request.headers.has("apikey")) return false;
  // The library loads the whole of supabase-js, which nobody else here needs.
  const { verifyAuth } = await import("@supabase/server/core");
  const { data, error } = await verifyAuth(request, {
    auth: ["secret:*", "none"],
    env: { secretKeys: secretKeys() },
  });
  if (error !== null) throw error;
  return data.authMode === "secret";
}
