import type { ClerkClient } from "@clerk/backend";
import type { ClerkSettings } from "./clerk.ts";
import type { ServiceClient } from "./database.ts";

/** Makes Clerk's limit of an organization what ours is; never rejects (`pushClerkLimit()`). */
export type PushLimit = (organizationId: string) => Promise<void>;

/**
 * For functions that ask Clerk for nothing else, and seldom for this: what speaks to Clerk is loaded
 * for the first push, since it would take a quarter of the time in which they start.
 */
export function limitPusher(database: ServiceClient, settings: ClerkSettings): PushLimit {
  let clerk: ClerkClient | undefined;
  return async (organizationId) => {
    const [{ connectClerk }, { pushClerkLimit }] = await Promise.all([
      import("./clerk.ts"),
      import("./clerk_limit.ts"),
    ]);
    clerk ??= connectClerk(settings);
    await pushClerkLimit({ database, clerk }, organizationId);
  };
}
