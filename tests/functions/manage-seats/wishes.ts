import type { FaultInput } from "../../../local/emulation/faults.ts";
import type { Clients } from "../clients.ts";
import { type ServedFunction, withFunction } from "../served_function.ts";
import { type Judge, type Proxy, withProxy } from "./proxy.ts";
import type { Subscriber } from "./seats.ts";

/** More seats, and fewer: what is wanted, and what is paid for then and at renewal. */
export const WISHES = [
  { wish: { seats: 9 }, purchased: 9, renewal: 9, invoices: 1 },
  { wish: { seats: 3 }, purchased: 5, renewal: 3, invoices: 0 },
] as const;

/** What is paid for before any wish. */
export const BEFORE = { purchased: 5, renewal: 5, invoices: 0 } as const;

/** Runs with manage-seats, whose requests to the database a judge lets through or not. */
export function behindProxy(
  clients: Clients,
  verdictOf: Judge,
  run: (served: ServedFunction, proxy: Proxy) => Promise<void>,
  settings: Record<string, string> = {},
): Promise<void> {
  return withProxy(clients.env.SUPABASE_URL, verdictOf, (proxy) =>
    withFunction(
      clients,
      "manage-seats",
      { SUPABASE_URL: proxy.url, ...settings },
      (served) => run(served, proxy),
    ));
}

/** The requests that change a subscription at Stripe. */
export function onUpdate({ subscriptionId }: Subscriber): FaultInput["match"] {
  return { method: "POST", path: `^/v1/subscriptions/${subscriptionId}$` };
}
