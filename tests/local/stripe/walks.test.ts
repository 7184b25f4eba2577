import fc from "fast-check";
import { ensureCatalog } from "../../../local/stripe/catalog.ts";
import { withStripe } from "./emulation.ts";
import { Walk } from "./walk.ts";
import { PLANS, steps } from "./walk_steps.ts";

const WALKS = 60;
const FIRST_START = Date.UTC(2028, 0, 1) / 1000;
const YEAR = 366 * 24 * 60 * 60;

Deno.test("whatever is changed whenever, a preview is what is charged, and the money adds up", () =>
  withStripe(async ({ stripe, control }) => {
    const entries = await ensureCatalog(stripe, PLANS);
    const prices = PLANS.map((row, index) => ({ id: entries[index]?.price ?? "", row }));
    const start = fc.record({
      at: fc.integer({ min: FIRST_START, max: FIRST_START + YEAR }),
      seats: fc.integer({ min: 1, max: 30 }),
      price: fc.nat(PLANS.length - 1),
    });
    const walks = fc.array(steps, { minLength: 3, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(start, walks, async (begin, taken) => {
        const walk = await Walk.begin(stripe, control, prices, begin);
        for (const step of taken) await walk.take(step);
        await walk.checkMoney();
      }),
      // Shrinking would walk for minutes: the seed that is printed can be replayed.
      { numRuns: WALKS, endOnFailure: true },
    );
  }));
