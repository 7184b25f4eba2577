import assert from "node:assert/strict";
import type { Delivery } from "../../../local/emulation/delivery_records.ts";
import { assertInvariants } from "../../simulation/invariants.ts";
import { stackEnv } from "../../stack.ts";
import { openCheckout } from "../checkout.ts";
import { connect } from "../clients.ts";
import { atEach, type Point, type Run, somePointsOf, watch } from "../killing.ts";
import { createOrganization, type Organization } from "../organizations.ts";
import { ledgerOutcome, numbersOf, only } from "../rows.ts";
import { lapseLease } from "../sync-seats/drifted.ts";
import { limitPushed, syncUntilAgreed } from "../sync-seats/sync.ts";
import { deliverSigned, holdingEvents, outcomeOf } from "./deliveries.ts";

const clients = connect(stackEnv());
const { sql, stripeControl } = clients;

/** An organization that has paid, of which Stripe has told nothing yet, and what it tells first. */
async function createPayer(): Promise<{ organization: Organization; created: Delivery }> {
  const organization = await createOrganization(clients);
  await limitPushed(clients, organization);
  const { sessionId } = await openCheckout(clients, organization);
  const held = await holdingEvents(
    clients,
    organization.id,
    () => stripeControl.payCheckout(sessionId),
  );
  return {
    organization,
    created: only(held.filter(({ type }) => type === "customer.subscription.created")),
  };
}

function runOf(organization: Organization, { payload }: Delivery): Run {
  return {
    name: "stripe-webhook",
    call: (base) => deliverSigned(clients, payload, {}, base),
    finished: () => limitPushed(clients, organization),
  };
}

async function assertTaken(organization: Organization): Promise<void> {
  assert.equal((await numbersOf(sql, organization)).limit, 5);
  await lapseLease(clients, organization);
  assert.deepEqual(await syncUntilAgreed(clients, organization), []);
  await limitPushed(clients, organization);
  await assertInvariants(sql, organization);
}

async function assertHeals(point: Point): Promise<void> {
  const { organization, created } = await createPayer();
  await watch(clients, runOf(organization, created), point);
  await assertInvariants(sql, organization);
  const isTaken = await ledgerOutcome(sql, created.eventId) === "applied";
  assert.equal((await numbersOf(sql, organization)).limit, isTaken ? 5 : 0);

  assert.equal(await outcomeOf(clients, created.payload), isTaken ? "duplicate" : "applied");
  await stripeControl.release({ contains: organization.id });
  await assertTaken(organization);
}

Deno.test("killed at any request, an event: it takes effect when Stripe delivers it again, once", async () => {
  const { organization, created } = await createPayer();
  const requests = await watch(clients, runOf(organization, created));
  await assertTaken(organization);
  for (const request of ["POST apply_stripe_event 2", "GET sub", "PATCH org"]) {
    assert(requests.includes(request), requests.join());
  }
  await atEach(somePointsOf(requests), assertHeals);
});
