import { connectionOf, type Connections, withConnections } from "../bench.ts";
import type { Line } from "../line.ts";
import {
  type FilledOrganization,
  fillOrganizations,
  newGroup,
  readOrganizations,
} from "../organizations.ts";
import { measureRates, type Rates } from "../rounds.ts";
import { checkCapacity } from "../statements.ts";

/** Makes an organization with so many members. */
async function organizationOf(
  connections: Connections,
  members: number,
): Promise<FilledOrganization> {
  const sql = connectionOf(connections, 0);
  const group = newGroup();
  await fillOrganizations(sql, group, { first: 1, last: 1 }, { members, invitations: 0 });
  const [organization] = await readOrganizations(sql, group, 1);
  if (organization === undefined) throw new Error("The organization is not there");
  return organization;
}

/** `check_organization_capacity()` of a small organization against that of a large one. */
export const capacity: Line = {
  name: "check_organization_capacity",
  measure: (bench) =>
    withConnections(bench, 1, async (connections) => {
      const small = await organizationOf(connections, 10);
      const large = await organizationOf(connections, 100_000);
      await connectionOf(connections, 0)`analyze`;
      const rates: Rates = await measureRates(
        () => checkCapacity(connectionOf(connections, 0), small),
        () => checkCapacity(connectionOf(connections, 0), large),
        // Short and many: they are so alike that only the machine tells them apart.
        { clients: 1, rounds: bench.quick ? 10 : 40, milliseconds: 200 },
      );
      return [{
        what: "check_organization_capacity(), 100,000 members",
        floor: "the same, 10 members",
        value: rates.ratio,
        target: { sense: "at least", value: 0.9, unit: "%" },
        measured: { floorPerSecond: rates.floor, perSecond: rates.subject, ratios: rates.ratios },
      }];
    }),
};
