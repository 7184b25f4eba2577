import assert from "node:assert/strict";
import type { Delivery } from "../../../local/emulation/delivery_records.ts";
import { assertInvariants } from "../../simulation/invariants.ts";
import { stackEnv } from "../../stack.ts";
import { connect } from "../clients.ts";
import { atEach, type Point, type Run, somePointsOf, watch } from "../killing.ts";
import { inPostgres } from "../manage-members/team.ts";
import { type Organization, tokenOf } from "../organizations.ts";
import { ledgerOutcome, only } from "../rows.ts";
import { lapseLease } from "../sync-seats/drifted.ts";
import { limitPushed, syncUntilAgreed } from "../sync-seats/sync.ts";
import { deliverSigned, outcomeOf } from "./deliveries.ts";

const clients = connect(stackEnv());
const { clerk, sql } = clients;

/** An organization of which Clerk has told nothing yet. */
interface Unheard {
  readonly name: string;
  readonly clerkId: string;
  readonly adminId: string;
  /** What Clerk tells first. */
  readonly created: Delivery;
}

async function createUnheard(): Promise<Unheard> {
  const name = `Acme ${crypto.randomUUID()}`;
  const policy = await clerk.control.addPolicy({ contains: name, kind: "hold", times: 0 });
  const { organization, adminId } = await clerk.createOrganization({ name });
  await clerk.control.removePolicy(policy);
  const held = await clerk.control.deliveries({ contains: name, type: "organization.created" });
  return { name, clerkId: organization.id, adminId, created: only(held) };
}

/** The organization, of which Postgres has heard. */
async function heard({ clerkId, adminId }: Unheard): Promise<Organization> {
  const { id } = only(
    await sql<{ id: string }[]>`
      select id from public.organizations where clerk_org_id = ${clerkId}`,
  );
  return { id, clerkId, adminId, token: await tokenOf(clients, adminId, clerkId) };
}

function runOf(unheard: Unheard): Run {
  const { payload, eventId: id } = unheard.created;
  return {
    name: "clerk-webhook",
    call: (base) => deliverSigned(clients, payload, { id }, base),
    finished: async () => limitPushed(clients, await heard(unheard)),
  };
}

async function assertTaken(unheard: Unheard): Promise<void> {
  await clerk.control.release({ contains: unheard.name });
  const organization = await heard(unheard);
  await lapseLease(clients, organization);
  assert.deepEqual(await syncUntilAgreed(clients, organization), []);
  await limitPushed(clients, organization);
  assert.deepEqual((await inPostgres(clients, organization)).members, [unheard.adminId]);
  await assertInvariants(sql, organization);
}

async function assertHeals(point: Point): Promise<void> {
  const unheard = await createUnheard();
  await watch(clients, runOf(unheard), point);
  const { payload, eventId: id } = unheard.created;
  const isTaken = await ledgerOutcome(sql, id) === "applied";
  assert.equal(await outcomeOf(clients, payload, { id }), isTaken ? "duplicate" : "applied");
  await assertTaken(unheard);
}

Deno.test("killed at any request, an event: it takes effect when Clerk delivers it again, once", async () => {
  const unheard = await createUnheard();
  const requests = await watch(clients, runOf(unheard));
  await assertTaken(unheard);
  for (const request of ["POST apply_clerk_event", "PATCH org"]) {
    assert(requests.includes(request), requests.join());
  }
  await atEach(somePointsOf(requests), assertHeals);
});
