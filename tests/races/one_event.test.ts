import assert from "node:assert/strict";
import { type Sql, withConnections } from "../database/connection.ts";
import { makeOrganization, type Organization } from "../database/organizations.ts";
import {
  applySubscriptionEvent,
  second,
  subscribe,
  subscriptionEvent,
} from "../database/paid_subscriptions.ts";
import { assertCounted } from "../database/recount.ts";
import { ROUNDS } from "./rounds.ts";

const CONNECTIONS = 32;
const EVENTS = ROUNDS * 10;

async function bookingsOf(sql: Sql, { id }: Organization): Promise<number> {
  const rows = await sql`select from public.billing_changes where organization_id = ${id}`;
  return rows.length;
}

Deno.test(`of ${CONNECTIONS} deliveries of one event at once one takes effect, ${EVENTS} times`, () =>
  withConnections(CONNECTIONS, async (connections) => {
    const [observer] = connections;
    const { organization, subscription } = await observer.begin(async (sql) => {
      const organization = await makeOrganization(sql);
      return { organization, subscription: await subscribe(sql, organization) };
    });
    const bookings = await bookingsOf(observer, organization);

    for (let round = 1; round <= EVENTS; round++) {
      const changed = { ...subscription, quantity: 10 + round % 2 };
      const event = subscriptionEvent(changed, second(round));
      const outcomes = await Promise.all(
        connections.map((sql) => applySubscriptionEvent(sql, event)),
      );
      const told = outcomes.map(({ outcome }) => outcome).sort();
      assert.deepEqual(told, ["applied", ...Array(CONNECTIONS - 1).fill("duplicate")]);
    }

    assert.equal(await bookingsOf(observer, organization), bookings + EVENTS);
    await assertCounted(observer, organization);
  }));
