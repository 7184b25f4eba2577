import assert from "node:assert/strict";
import fc from "fast-check";
import { rolledBack, withConnections } from "./connection.ts";
import { makeOrganization, numbersOf } from "./organizations.ts";
import { attachCustomer, deliverStripeEvent } from "./stripe_deliveries.ts";
import { quantities } from "./stripe_histories.ts";

/** What happens: each change in the same second as the one before, or in a later one. */
const changes = fc.array(
  fc.record({ quantity: fc.integer({ min: 1, max: 4 }), later: fc.boolean() }),
  { minLength: 2, maxLength: 7 },
).map((list) => {
  let at = 0;
  return list.map(({ quantity, later }) => ({ quantity, at: later ? ++at : at }));
});

/** In which order the events come, and how far Stripe has gone on by then. */
const schedules = changes.chain((states) =>
  fc.record({
    states: fc.constant(states),
    order: fc.shuffledSubarray([...states.keys()], {
      minLength: states.length,
      maxLength: states.length,
    }),
    ahead: fc.array(fc.nat({ max: 3 }), { minLength: states.length, maxLength: states.length }),
  })
);

Deno.test("events that overtake one another while Stripe goes on leave what Stripe has in the end", () =>
  withConnections(1, ([connection]) =>
    fc.assert(
      fc.asyncProperty(schedules, ({ states, order, ahead }) =>
        rolledBack(connection, async (sql) => {
          const organization = await makeOrganization(sql);
          await attachCustomer(sql, organization);
          const history = quantities(organization, states);
          let now = 0;
          for (const [step, index] of order.entries()) {
            now = Math.min(Math.max(now, index) + (ahead[step] ?? 0), history.length - 1);
            const [told] = history.slice(index);
            const [current] = history.slice(now);
            assert(told !== undefined && current !== undefined);
            await deliverStripeEvent(sql, told.event, () =>
              current.reading);
          }
          const { seatLimit } = await numbersOf(sql, organization);
          assert.equal(seatLimit, states.at(-1)?.quantity);
        })),
      { numRuns: 100 },
    )));
