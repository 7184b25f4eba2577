import assert from "node:assert/strict";
import type Stripe from "stripe";
import { assertInvariants } from "../../simulation/invariants.ts";
import { stackEnv } from "../../stack.ts";
import { clickBuy, openCheckout, purchaseOf } from "../checkout.ts";
import { connect } from "../clients.ts";
import { atEach, type Point, type Run, somePointsOf, watch } from "../killing.ts";
import { createOrganization, type Organization, settled } from "../organizations.ts";
import { intentsOf, numbersOf, only } from "../rows.ts";
import { syncUntilAgreed } from "../sync-seats/sync.ts";

const clients = connect(stackEnv());
const { sql, stripe, stripeControl } = clients;

/** What the process is at when it is killed. */
interface Deed {
  readonly what: string;
  /** What the organization has done before. */
  prepare(organization: Organization): Promise<unknown>;
  /** How often the process speaks to somebody, at least. */
  readonly requests: number;
}

const DEEDS: readonly Deed[] = [
  { what: "a first click", prepare: () => Promise.resolve(), requests: 8 },
  {
    what: "a click with another wish",
    prepare: (organization) => openCheckout(clients, organization, { seats: 6 }),
    requests: 7,
  },
];

function deedOf(organization: Organization): Run {
  return {
    name: "create-seat-checkout-session",
    call: (base) => clickBuy(clients, organization, {}, base),
  };
}

async function prepared({ prepare }: Deed): Promise<Organization> {
  const organization = await createOrganization(clients);
  await prepare(organization);
  return organization;
}

/** The Stripe customers that were made for an organization. */
async function customersOf({ id }: Organization): Promise<Stripe.Customer[]> {
  const { data } = await stripe.customers.list({ limit: 100 });
  return data.filter(({ metadata }) => metadata["organization_id"] === id);
}

/** The sessions in which an organization can pay. */
async function openSessionsOf({ id }: Organization): Promise<string[]> {
  const { data } = await stripe.checkout.sessions.list({ status: "open", limit: 100 });
  return data.filter(({ client_reference_id: of }) => of === id).map(({ id }) => id);
}

/** Asserts that the next click leads to the one session that can be paid, whatever was wished. */
async function assertGoesOn(organization: Organization, seats: number): Promise<string> {
  const { sessionId } = await openCheckout(clients, organization, { seats });
  assert.deepEqual(await openSessionsOf(organization), [sessionId]);
  assert.equal((await customersOf(organization)).length, 1);
  const open = (await intentsOf(sql, organization)).filter(({ state }) => state === "open");
  assert.equal(only(open).session, sessionId);
  return sessionId;
}

/** Asserts that a session that is paid gives its seats, in one subscription. */
async function assertPaid(
  organization: Organization,
  sessionId: string,
  seats: number,
): Promise<void> {
  await stripeControl.payCheckout(sessionId);
  await settled(clients, organization.id);
  const { customerId, subscriptionId } = await purchaseOf(clients, sessionId);
  const { data } = await stripe.subscriptions.list({ customer: customerId, status: "all" });
  assert.deepEqual(data.map(({ id }) => id), [subscriptionId]);
  assert.equal((await numbersOf(sql, organization)).limit, seats);
  assert.deepEqual(await syncUntilAgreed(clients, organization), []);
  await assertInvariants(sql, organization);
}

async function assertHeals(deed: Deed, point: Point): Promise<void> {
  const organization = await prepared(deed);
  await watch(clients, deedOf(organization), point);
  assert((await openSessionsOf(organization)).length <= 1);
  assert.equal((await numbersOf(sql, organization)).limit, 0);
  await assertInvariants(sql, organization);
  assert.deepEqual(await syncUntilAgreed(clients, organization), []);

  const same = await assertGoesOn(organization, 5);
  const another = await assertGoesOn(organization, 7);
  assert.notEqual(another, same);
  await assertPaid(organization, another, 7);
}

for (const deed of DEEDS) {
  Deno.test(`killed at any request, ${deed.what}: the next one leads to the one session that can be paid`, async () => {
    const requests = await watch(clients, deedOf(await prepared(deed)));
    assert(requests.length >= deed.requests, requests.join());
    await atEach(somePointsOf(requests), (point) => assertHeals(deed, point));
  });
}
