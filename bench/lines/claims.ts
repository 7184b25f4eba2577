import { type Bench, connectionOf, type Connections, withConnections } from "../bench.ts";
import type { Line, Result } from "../line.ts";
import {
  anyOf,
  type FilledOrganization,
  fillOrganizations,
  newGroup,
  readOrganizations,
} from "../organizations.ts";
import { measureRates, type Rates, type Rounds } from "../rounds.ts";
import { claimSeat, insertAndUpdate, makeFloorTables, updateOneRow } from "../statements.ts";

const ORGANIZATIONS = 1000;

/** Claims of 64 connections on one organization against updates of one row. */
export function measureHotClaims(
  connections: Connections,
  organization: FilledOrganization,
  rounds: Pick<Rounds, "rounds" | "milliseconds">,
): Promise<Rates> {
  return measureRates(
    (client) => updateOneRow(connectionOf(connections, client)),
    (client) => claimSeat(connectionOf(connections, client), organization),
    { clients: connections.length, ...rounds },
  );
}

/** Claims over many organizations against an insert and an update. */
export function measureSpreadClaims(
  connections: Connections,
  organizations: readonly FilledOrganization[],
  rounds: Pick<Rounds, "rounds" | "milliseconds">,
): Promise<Rates> {
  return measureRates(
    (client) => insertAndUpdate(connectionOf(connections, client), anyOf(organizations).n),
    (client) => claimSeat(connectionOf(connections, client), anyOf(organizations)),
    { clients: connections.length, ...rounds },
  );
}

/** How long the lines on SQL take. */
export function roundsOf({ quick }: Bench): Pick<Rounds, "rounds" | "milliseconds"> {
  return quick ? { rounds: 3, milliseconds: 400 } : { rounds: 7, milliseconds: 1500 };
}

/** Fills in organizations for one line, and makes the tables of its floor. */
export async function prepare(
  connections: Connections,
  count: number,
): Promise<readonly FilledOrganization[]> {
  const sql = connectionOf(connections, 0);
  const group = newGroup();
  await fillOrganizations(sql, group, { first: 1, last: count }, { members: 5, invitations: 5 });
  await makeFloorTables(sql, count);
  await sql`analyze`;
  return await readOrganizations(sql, group, count);
}

/** `claim_seats()` where everybody wants a seat of the same organization. */
export const claimSeatsHot: Line = {
  name: "claim_seats_hot",
  measure: (bench) =>
    withConnections(bench, 64, async (connections) => {
      const organizations = await prepare(connections, ORGANIZATIONS);
      const rates = await measureHotClaims(connections, anyOf(organizations), roundsOf(bench));
      return [
        result("claim_seats(), one organization, 64 connections", "update of one row", rates),
      ];
    }),
};

/** `claim_seats()` over a thousand organizations. */
export const claimSeatsSpread: Line = {
  name: "claim_seats_spread",
  measure: (bench) =>
    withConnections(bench, 16, async (connections) => {
      const organizations = await prepare(connections, ORGANIZATIONS);
      const rates = await measureSpreadClaims(connections, organizations, roundsOf(bench));
      return [
        result("claim_seats(), 1,000 organizations, 16 connections", "insert + update", rates),
      ];
    }),
};

function result(what: string, floor: string, { ratio, ...rates }: Rates): Result {
  return {
    what,
    floor,
    value: ratio,
    target: { sense: "at least", value: 0.5, unit: "%" },
    measured: { floorPerSecond: rates.floor, perSecond: rates.subject, ratios: rates.ratios },
  };
}
