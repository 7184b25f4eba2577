import { type Bench, connectionOf, withConnections } from "./bench.ts";
import { measureHotClaims, measureSpreadClaims } from "./lines/claims.ts";
import { measureEvents } from "./lines/stripe_events.ts";
import {
  anyOf,
  type FilledOrganization,
  fillLedger,
  fillOrganizations,
  newGroup,
  readOrganizations,
} from "./organizations.ts";
import { measureRates, type Rates } from "./rounds.ts";
import { checkCapacity, makeFloorTables } from "./statements.ts";

/** One figure at each number of organizations. */
export interface Curve {
  readonly what: string;
  readonly points: readonly { readonly organizations: number; readonly rates: Rates }[];
}

/** Everything about growth. */
export interface Growth {
  readonly curves: readonly Curve[];
  /** What the tables and their indexes take on the disk at each number of organizations, in MB. */
  readonly megabytes: readonly number[];
  readonly ledger: number;
}

/** How many are filled in at once, so that the temporary table stays in memory. */
const BATCH = 50_000;

/** How many organizations are worked on, of all that there are. */
const WORKED_ON = 1000;

const PEOPLE = { members: 2, invitations: 1 };
const ROUNDS = { rounds: 3, milliseconds: 1500 };

/**
 * Measures the same figures with 1, 10,000 and 1,000,000 organizations in the tables, three people in
 * each, beside a million events in the ledger. With `--quick` a hundredth of that.
 */
export function measureGrowth(bench: Bench): Promise<Growth> {
  const scale = bench.quick ? 100 : 1;
  const sizes = [1, 10_000 / scale, 1_000_000 / scale];
  const ledger = 1_000_000 / scale;
  return withConnections(bench, 64, async (connections) => {
    const sql = connectionOf(connections, 0);
    await fillLedger(sql, ledger);
    const curves = new Map<string, Curve["points"]>();
    const megabytes: number[] = [];
    const group = newGroup();
    let filled = 0;
    for (const organizations of sizes) {
      while (filled < organizations) {
        const last = Math.min(filled + BATCH, organizations);
        await fillOrganizations(sql, group, { first: filled + 1, last }, PEOPLE);
        filled = last;
        console.log(`  ${filled} organizations`);
      }
      await sql`vacuum analyze`;
      await makeFloorTables(sql, WORKED_ON);
      const some = await readOrganizations(sql, group, Math.min(organizations, WORKED_ON));
      for (const [what, rates] of Object.entries(await figuresOf(connections, some))) {
        curves.set(what, [...curves.get(what) ?? [], { organizations, rates }]);
      }
      const [size] = await sql<{ megabytes: number }[]>`
        select (pg_database_size(current_database()) / 1048576)::integer as megabytes`;
      megabytes.push(size?.megabytes ?? NaN);
    }
    return {
      curves: [...curves].map(([what, points]) => ({ what, points })),
      megabytes,
      ledger,
    };
  });
}

async function figuresOf(
  connections: readonly Parameters<typeof checkCapacity>[0][],
  organizations: readonly FilledOrganization[],
): Promise<Readonly<Record<string, Rates>>> {
  const sixteen = connections.slice(0, 16);
  // Prepared statements keep plans that were made for smaller tables: each size begins without.
  await Promise.all(connections.map((sql) => sql`discard plans`));
  return {
    "claim_seats(), one organization": await measureHotClaims(
      connections,
      anyOf(organizations),
      ROUNDS,
    ),
    "claim_seats()": await measureSpreadClaims(sixteen, organizations, ROUNDS),
    "apply_stripe_event()": await measureEvents(sixteen, organizations, true, ROUNDS),
    "check_organization_capacity()": await measureRates(
      (client) => connectionOf(sixteen, client)`select`,
      (client) => checkCapacity(connectionOf(sixteen, client), anyOf(organizations)),
      { clients: sixteen.length, ...ROUNDS },
    ),
  };
}
