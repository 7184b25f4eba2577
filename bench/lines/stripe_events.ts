import { connectionOf, type Connections, withConnections } from "../bench.ts";
import type { Line, Result } from "../line.ts";
import { anyOf, type FilledOrganization } from "../organizations.ts";
import { measureRates, type Rates, type Rounds } from "../rounds.ts";
import { applyEvent, insertIntoLedger } from "../statements.ts";
import { prepare, roundsOf } from "./claims.ts";

/** Events about many subscriptions against the bare row of the ledger. */
export function measureEvents(
  connections: Connections,
  organizations: readonly FilledOrganization[],
  changesSeats: boolean,
  rounds: Pick<Rounds, "rounds" | "milliseconds">,
): Promise<Rates> {
  return measureRates(
    (client) => insertIntoLedger(connectionOf(connections, client)),
    (client) => applyEvent(connectionOf(connections, client), anyOf(organizations), changesSeats),
    { clients: connections.length, ...rounds },
  );
}

/**
 * `apply_stripe_event()` with events that nobody has seen: with those that change the seats, which is
 * the most that one can do, and with those that change nothing but what is known, as most do.
 */
export const stripeEvents: Line = {
  name: "apply_stripe_event",
  measure: (bench) =>
    withConnections(bench, 16, async (connections) => {
      const organizations = await prepare(connections, 1000);
      const rounds = roundsOf(bench);
      // In this order: after the second the first would find the seats as it leaves them.
      const same = await measureEvents(connections, organizations, false, rounds);
      const changed = await measureEvents(connections, organizations, true, rounds);
      return [
        result("apply_stripe_event(), seats as they were", same),
        result("apply_stripe_event(), seats changed", changed),
      ];
    }),
};

function result(what: string, { ratio, ...rates }: Rates): Result {
  return {
    what,
    floor: "insert of the ledger's row",
    value: ratio,
    target: { sense: "at least", value: 0.33, unit: "%" },
    measured: { floorPerSecond: rates.floor, perSecond: rates.subject, ratios: rates.ratios },
  };
}
