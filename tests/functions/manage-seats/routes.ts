import type { Call } from "../api.ts";

/** A route of manage-seats, below the organization, with a call that an admin may make. */
export interface Route {
  readonly method: string;
  readonly route: string;
  readonly call?: Omit<Call, "method" | "token">;
  /** Any member may call it, not only an admin. */
  readonly forMembers?: true;
  /** Whoever comes from elsewhere is refused as no member, whatever his role there. */
  readonly readsFirst?: true;
}

const headers = { "idempotency-key": "a-route" };

/** Every route; a test holds the list to what the handler has. */
export const ROUTES: readonly Route[] = [
  { method: "GET", route: "", forMembers: true, readsFirst: true },
  { method: "POST", route: "/preview", call: { body: { seats: 9 } } },
  { method: "POST", route: "/change", call: { body: { seats: 9 }, headers } },
  { method: "DELETE", route: "/scheduled-change", readsFirst: true },
  { method: "POST", route: "/portal", call: { body: {} }, readsFirst: true },
  { method: "GET", route: "/changes", readsFirst: true },
  { method: "GET", route: "/usage?from=2026-11-01&to=2026-11-02" },
];

/** For the name of a test. */
export function nameOf({ method, route }: Route): string {
  return `${method} ${route.split("?")[0] || "/"}`;
}
