import assert from "node:assert/strict";
import type postgres from "postgres";
import { rolledBack, type Transaction, withConnections } from "../database/connection.ts";
import type { Organization } from "../database/organizations.ts";
import { type Rows, rowsOf } from "../database/rows.ts";
import { deliverStripeEvent, type Reading } from "../database/stripe_deliveries.ts";
import {
  inState,
  second,
  type StripeEvent,
  stripeEvent,
  stripeInvoice,
  stripeSession,
  stripeSubscription,
} from "../database/stripe_events.ts";
import { buyer, insertBuyer } from "../database/stripe_histories.ts";
import { IS_LONG } from "./rounds.ts";

/** Which event comes first: each of the seven where there is time, else one of a pair. */
const FIRST = IS_LONG ? [0, 1, 2, 3, 4, 5, 6] : [4];

/** The orders of the other six events behind each. */
const ORDERS = 720 * FIRST.length;

/** A purchase that is changed three times: two pairs of its events share their second. */
function history(organization: Organization): { events: StripeEvent[]; read: () => Reading } {
  const first = stripeSubscription(organization, second(0));
  const invoice = { ...stripeInvoice(first, "paid"), id: "in_first" };
  const session = stripeSession(organization, first, { created: second(0), invoice: invoice.id });
  const changed = (quantity: number, at: number) =>
    stripeEvent("customer.subscription.updated", inState(first, { quantity }), second(at));
  return {
    events: [
      stripeEvent("customer.subscription.created", inState(first, { quantity: 5 }), second(0)),
      stripeEvent("checkout.session.completed", session, second(1)),
      stripeEvent("invoice.paid", invoice, second(1)),
      changed(7, 60),
      changed(9, 60),
      changed(4, 120),
      changed(6, 180),
    ],
    read: () => ({
      readAt: second(240),
      subscription: inState(first, { quantity: 6, latestInvoice: invoice }),
    }),
  };
}

/** Delivers what is left in every order; orders that begin alike share their beginning. */
async function deliverInEveryOrder(
  sql: Transaction,
  left: readonly StripeEvent[],
  read: () => Reading,
  finished: (sql: Transaction) => Promise<void>,
  next: readonly number[] = [...left.keys()],
): Promise<void> {
  if (left.length === 0) return await finished(sql);
  for (const index of next) {
    const event = left[index];
    assert(event !== undefined);
    await undone(sql, async (sql) => {
      await deliverStripeEvent(sql, event, read);
      await deliverInEveryOrder(sql, left.toSpliced(index, 1), read, finished);
    });
  }
}

/** Runs in a part of a transaction that is undone afterwards. */
async function undone(
  sql: Transaction,
  run: (sql: Transaction) => Promise<void>,
): Promise<void> {
  const ending = new Error("Undone");
  await sql.savepoint(async (sql: postgres.TransactionSql) => {
    await run(sql);
    throw ending;
  }).catch((error: unknown) => {
    if (error !== ending) throw error;
  });
}

Deno.test(`${ORDERS} orders of seven events end alike`, () =>
  withConnections(1, async ([connection]) => {
    const organization = buyer();
    const { events, read } = history(organization);
    let expected: Rows | undefined;
    let orders = 0;
    await rolledBack(connection, async (sql) => {
      await insertBuyer(sql, organization);
      await deliverInEveryOrder(sql, events, read, async (sql) => {
        const rows = await rowsOf(sql, organization.clerkOrgId);
        expected ??= rows;
        assert.deepEqual(rows, expected);
        orders++;
      }, FIRST);
    });
    assert.equal(orders, ORDERS);
    assert.equal((expected?.["organization"] as Record<string, unknown>)["seat_limit"], 6);
  }));
