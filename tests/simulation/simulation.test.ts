import assert from "node:assert/strict";
import { BROKEN_RULES, definitionOf, whileBroken } from "./broken_rules.ts";
import { play } from "./histories.ts";
import { search, told } from "./run.ts";
import { KEPT } from "./seeds.ts";
import { openTheatre } from "./world.ts";

/** The same histories in every run of the tests; `npm run simulate` plays others. */
const SEED = 2026;
/** Some three hundred steps, and how many there have to be at least. */
const HISTORIES = 14;
const STEPS = 250;

Deno.test("whatever happens in whatever order, everyone agrees after one sweep", async (test) => {
  const theatre = await openTheatre(() => {});
  try {
    for (const { was, frame, steps } of KEPT) {
      await test.step(`no more: ${was}`, () => play(theatre, frame, steps));
    }
    await test.step(`${HISTORIES} random histories`, async () => {
      const before = theatre.played.steps;
      const failure = await search(theatre, { seed: SEED, runs: HISTORIES, shrinkMs: 0 });
      if (failure !== null) assert.fail(told(failure));
      const steps = theatre.played.steps - before;
      assert(steps >= STEPS, `Only ${steps} steps were taken`);
    });
    await test.step("each rule can be broken, for npm run simulate -- --broken", async () => {
      for (const rule of BROKEN_RULES) await definitionOf(theatre.clients, rule);
    });
    await test.step("a rule that is broken is noticed", async () => {
      const [rule] = BROKEN_RULES.filter(({ name }) => name.includes("counted"));
      assert(rule !== undefined);
      const failure = await whileBroken(
        theatre.clients,
        rule,
        () => search(theatre, { seed: SEED, runs: HISTORIES, shrinkMs: 0 }),
      );
      assert(failure !== null, rule.name);
    });
  } finally {
    await theatre.close();
  }
});
