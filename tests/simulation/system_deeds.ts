import assert from "node:assert/strict";
import { type Deed, factOutcome } from "./step.ts";
import { customerOf } from "./views.ts";
import { passTime, sweep, type World } from "./world.ts";

/** A sweep, some time later. */
export function sweeping(when: "at any time" | "where something was lost" = "at any time"): Deed {
  return {
    name: "sweep",
    makesSense: (_, { lost }) => lost || when === "at any time",
    prepare: async (world, { state, lost, held }) => {
      await passTime(world);
      return async () => {
        const report = await sweep(world);
        const isDone = report !== null && report.failed === 0;
        return {
          asDesigned: isDone,
          possible: [state],
          answer: JSON.stringify(report),
          // Who came and went, of whom the coming is still held up and the going was lost, is back
          // when the coming is heard of: the next sweep finds it.
          ...(isDone && !(lost && held) ? { hears: "all" as const } : {}),
        };
      };
    },
  };
}

/** What was held up comes, in the order in which it was sent or the other way round. */
export function release(order: "fifo" | "lifo"): Deed {
  return {
    name: `what was held up comes ${order}`,
    makesSense: (_, { held }) => held,
    isFact: true,
    prepare: ({ clients }, { state }) =>
      Promise.resolve(async () => {
        await clients.clerk.control.release({ order });
        await clients.stripeControl.release({ order });
        return { ...factOutcome(state), hears: "held" as const };
      }),
  };
}

/** Everything that was ever sent comes again, what was lost as well. */
export function replay(order: "fifo" | "lifo"): Deed {
  return {
    name: `everything comes again ${order}`,
    makesSense: () => true,
    isFact: true,
    prepare: async (world, { state }) => {
      const customer = await customerOf(world);
      return async () => {
        const answers = await replayAll(world, order, customer?.id);
        assert.deepEqual(answers.filter(({ status }) => status !== 200), []);
        return factOutcome(state);
      };
    },
  };
}

async function replayAll(
  { clients, organization: { clerkId } }: World,
  order: "fifo" | "lifo",
  customer: string | undefined,
) {
  const clerk = await clients.clerk.control.replay({ contains: clerkId, order });
  if (customer === undefined) return clerk;
  return [...clerk, ...await clients.stripeControl.replay({ contains: customer, order })];
}
