import { type Clients, connect } from "../../tests/functions/clients.ts";
import { functionsOf } from "../../tests/functions/api.ts";
import { newAddresses } from "../../tests/functions/manage-members/team.ts";
import { createOrganization, type Organization } from "../../tests/functions/organizations.ts";
import type { Line } from "../line.ts";

/**
 * One invitation of many people against as many of one person each, over HTTP through the gateway and
 * manage-members, Clerk's emulator included: its webhooks are dropped, since Clerk would send them
 * some other time. Half of the single ones go before the bulk, half after it.
 */
export const bulkInvitation: Line = {
  name: "bulk_invitation",
  measure: async (bench) => {
    const clients = connect(bench.env);
    const count = bench.quick ? 100 : 500;
    try {
      const organization = await createOrganization(clients);
      await clients.admin.rpc("grant_seats", {
        p_organization_id: organization.id,
        p_seats: count * 3,
        p_reason: "bench",
        p_actor: "bench",
      }).throwOnError();
      await clients.clerk.control.addPolicy({
        contains: organization.clerkId,
        kind: "drop",
        times: 0,
      });
      await timeOf(clients, organization, 1, 1);
      const half = await timeOf(clients, organization, count / 2, 1);
      const bulk = await timeOf(clients, organization, 1, count);
      const single = half + await timeOf(clients, organization, count / 2, 1);
      return [{
        what: `${count} people in one invitation`,
        floor: `${count} single ones`,
        value: single / bulk,
        target: { sense: "at least", value: 20, unit: "x" },
        measured: { bulkMilliseconds: bulk, singleMilliseconds: single },
      }];
    } finally {
      await clients.sql.end();
    }
  },
};

/** How long it takes to invite so many times, one after the other, so many people at a time. */
async function timeOf(
  clients: Clients,
  { id, token }: Organization,
  times: number,
  people: number,
): Promise<number> {
  const begun = performance.now();
  for (let time = 0; time < times; time++) {
    const invitations = newAddresses(people).map((email) => ({ email }));
    const answer = await fetch(`${functionsOf(clients)}/manage-members/${id}/invitations`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({ invitations }),
    });
    const text = await answer.text();
    if (!answer.ok || text.split('"invited"').length - 1 !== people) {
      throw new Error(`${people} people were not invited: ${answer.status} ${text.slice(0, 500)}`);
    }
  }
  return performance.now() - begun;
}
