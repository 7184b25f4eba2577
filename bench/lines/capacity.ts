import { connectionOf, type Connections, withConnections } from "../bench.ts";
import type { Line } from "../line.ts";
import {
  type FilledOrganization,
  fillOrganizations,
  newGroup,
  readOrganizations,
} from "../organizations.ts";
import { median } from "../rounds.ts";
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
      const sql = connectionOf(connections, 0);
      const times: Record<"small" | "large", number[]> = { small: [], large: [] };
      // In turns, call by call: they are so alike that only the machine tells them apart.
      for (let call = 0; call < (bench.quick ? 1000 : 10_000); call++) {
        times.small.push(await timeOf(() => checkCapacity(sql, small)));
        times.large.push(await timeOf(() => checkCapacity(sql, large)));
      }
      const floor = median(times.small);
      const subject = median(times.large);
      return [{
        what: "check_organization_capacity(), 100,000 members",
        floor: "the same, 10 members",
        value: floor / subject,
        target: { sense: "at least", value: 0.9, unit: "%" },
        measured: { floorMilliseconds: floor, milliseconds: subject },
      }];
    }),
};

async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}
