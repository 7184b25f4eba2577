import assert from "node:assert/strict";
import fc from "fast-check";
import type postgres from "postgres";
import { rolledBack, withConnections } from "./connection.ts";
import type { Organization } from "./organizations.ts";
import { permutations, repeated, type Repetition, shuffledRepetitions } from "./orders.ts";
import { randomToken } from "./random_id.ts";
import { type Rows, rowsOf } from "./rows.ts";
import { deliverStripeEvent, type Reading, silence } from "./stripe_deliveries.ts";
import { type StripeEvent } from "./stripe_events.ts";
import {
  buyer,
  delayedPurchase,
  insertBuyer,
  purchase,
  quantities,
  type StripeHistory,
} from "./stripe_histories.ts";

/** The rows after these deliveries; a third one comes when the ledger has forgotten the event. */
function rowsAfter(
  connection: postgres.Sql,
  organization: Organization,
  order: readonly Repetition<StripeEvent>[],
  read: () => Reading,
): Promise<Rows> {
  return rolledBack(connection, async (sql) => {
    await insertBuyer(sql, organization);
    for (const { thing: event, time } of order) {
      if (time === 3) await sql`delete from private.webhook_events where event_id = ${event.id}`;
      await deliverStripeEvent(sql, event, read);
    }
    return await rowsOf(sql, organization.clerkOrgId);
  });
}

function knowing({ truth }: StripeHistory): () => Reading {
  return () => ({ readAt: Math.floor(Date.now() / 1000), subscription: truth });
}

async function assertEveryOrder(
  organization: Organization,
  { events }: StripeHistory,
  read: () => Reading,
  seats: number,
): Promise<void> {
  await withConnections(1, async ([connection]) => {
    const inOrder = events.map((thing) => ({ thing, time: 1 }));
    const expected = await rowsAfter(connection, organization, inOrder, read);
    assert.equal(limitIn(expected), seats);
    let pattern = 0;
    for (const order of permutations(events)) {
      const rows = await rowsAfter(connection, organization, repeated(order, pattern++), read);
      assert.deepEqual(rows, expected, order.map(({ id, type }) => `${type} ${id}`).join(", "));
    }
  });
}

function limitIn(rows: Rows): unknown {
  return (rows["organization"] as Record<string, unknown>)["seat_limit"];
}

const DISTINCT = [0, 1, 2, 3, 4, 5] as const;
const TIES = [0, 0, 0, 60, 60, 60] as const;
const ONE_SECOND = [0, 0, 0, 0, 0] as const;

Deno.test("any order of a purchase, two changes and its end", () => {
  const organization = buyer();
  const told = purchase(organization, DISTINCT);
  return assertEveryOrder(organization, told, knowing(told), 0);
});

Deno.test("any order of a purchase that goes on, Stripe asked about ties", () => {
  const organization = buyer();
  const told = purchase(organization, ONE_SECOND);
  return assertEveryOrder(organization, told, knowing(told), 6);
});

Deno.test("any order of a purchase that goes on, Stripe not knowing it", () => {
  const organization = buyer();
  const told = purchase(organization, [0, 1, 2, 3, 4]);
  return assertEveryOrder(organization, told, silence, 6);
});

Deno.test("any order of a delayed payment", () => {
  const organization = buyer();
  const told = delayedPurchase(organization);
  return assertEveryOrder(organization, told, knowing(told), 5);
});

Deno.test("any order of a delayed payment, Stripe not knowing it", () => {
  const organization = buyer();
  return assertEveryOrder(organization, delayedPurchase(organization), silence, 5);
});

for (
  const [name, at, ask] of [
    ["with ties, Stripe asked", TIES, true],
    ["with ties, Stripe not knowing it", TIES, false],
    ["within one second, Stripe not knowing it", ONE_SECOND, false],
    ["in distinct seconds, Stripe not knowing it", DISTINCT, false],
  ] as const
) {
  Deno.test(`many orders of a purchase ${name}`, () =>
    withConnections(1, async ([connection]) => {
      const organization = buyer();
      const told = purchase(organization, [...at]);
      const read = ask ? knowing(told) : silence;
      const inOrder = told.events.map((thing) => ({ thing, time: 1 }));
      const expected = await rowsAfter(connection, organization, inOrder, read);
      await fc.assert(
        fc.asyncProperty(shuffledRepetitions(told.events), async (order) => {
          assert.deepEqual(await rowsAfter(connection, organization, order, read), expected);
        }),
        { numRuns: 40 },
      );
    }));
}

Deno.test("any order of a change and its undoing within a second, Stripe not knowing it", () => {
  const organization = buyer();
  const states = [5, 7, 5].map((quantity) => ({ quantity, at: 0 }));
  const events = quantities(organization, states)
    .map(({ event }, index) => ({ ...event, id: `evt_${index}${randomToken()}` }));
  return withConnections(1, async ([connection]) => {
    for (const order of permutations(events)) {
      const deliveries = order.map((thing) => ({ thing, time: 1 }));
      const rows = await rowsAfter(connection, organization, deliveries, silence);
      assert.equal(limitIn(rows), 5, order.map(({ id }) => id).join(", "));
    }
  });
});
