/** What hosted Supabase adds to Deno (Supabase: background tasks); the local stack has none of it. */
declare const EdgeRuntime: { waitUntil(promise: Promise<unknown>): void } | undefined;

/**
 * Lets work go on after the answer, for what may take its time and is retried by the sweep if it
 * does not end.
 *
 * @param work must not reject: nobody is left to be told.
 */
export function inBackground(work: Promise<void>): void {
  if (typeof EdgeRuntime !== "undefined") EdgeRuntime.waitUntil(work);
}
