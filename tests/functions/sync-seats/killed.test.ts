import assert from "node:assert/strict";
import { assertInvariants } from "../../simulation/invariants.ts";
import { stackEnv } from "../../stack.ts";
import { assertRefused } from "../api.ts";
import { connect } from "../clients.ts";
import { atEach, type Point, type Run, somePointsOf, watch } from "../killing.ts";
import type { Organization } from "../organizations.ts";
import { assertRepaired, createDrifted, lapseLease } from "./drifted.ts";
import { callSync, syncUntilAgreed } from "./sync.ts";

const clients = connect(stackEnv());

function runOf(organization: Organization): Run {
  return { name: "sync-seats", call: (base) => callSync(clients, organization, base) };
}

async function assertHeals(point: Point): Promise<void> {
  const organization = await createDrifted(clients);
  await watch(clients, runOf(organization), point);
  await assertInvariants(clients.sql, organization);

  // Nobody can tell a dead process from one at work, until its time is over.
  const answer = await callSync(clients, organization);
  if (answer.status !== 200) assertRefused(answer, 409, "sync_in_progress");
  await lapseLease(clients, organization);

  await syncUntilAgreed(clients, organization);
  await assertRepaired(clients, organization);
}

Deno.test("killed at any request, the sync of an organization: all agree after the next one", async () => {
  const organization = await createDrifted(clients);
  const requests = await watch(clients, runOf(organization));
  await assertRepaired(clients, organization);
  for (const request of ["POST sub", "POST reconcile_organization", "PATCH org"]) {
    assert(requests.includes(request), requests.join());
  }
  await atEach(somePointsOf(requests), assertHeals);
});
