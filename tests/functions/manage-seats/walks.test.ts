import assert from "node:assert/strict";
import fc from "fast-check";
import { stackEnv } from "../../stack.ts";
import { connect } from "../clients.ts";
import { Walk } from "./walk.ts";
import { steps, terms } from "./walk_steps.ts";

const clients = connect(stackEnv());
const { admin, env, stripe } = clients;

/** Each a number of walks of its own, all at once. */
const SEEDS = [1, 2, 3, 4];
const WALKS = 50;
/** Fewer than the invoices that a subscription may take in a minute. */
const STEPS = 3;
const FIRST = Date.UTC(2028, 0, 1) / 1000;
const YEAR = 366 * 24 * 60 * 60;

const config = {
  SITE_URL: env.SITE_URL,
  ALLOWED_RETURN_ORIGINS: [],
  CLERK_JWT_KEY: env.CLERK_JWT_KEY,
  CLERK_AUTHORIZED_PARTIES: [env.SITE_URL],
};

/** Takes random walks until one goes wrong. */
async function takeWalks(seed: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(
      fc.tuple(terms, fc.integer({ min: FIRST, max: FIRST + YEAR })),
      fc.array(steps, { minLength: 1, maxLength: STEPS }),
      async ([bought, at], taken) => {
        const take = async (walk: Walk) => {
          for (const step of taken) await walk.take(step);
          await walk.checkStripe();
        };
        const alert = () => Promise.reject(new Error("A change got stuck"));
        const dependencies = { config, database: admin, stripe, alert };
        await Walk.run(clients, { ...bought, at }, take, dependencies);
      },
    ),
    { numRuns: WALKS, seed, endOnFailure: true },
  );
}

Deno.test("whatever is changed whenever, a preview is what is charged, and seats follow", async () => {
  await Promise.all(SEEDS.map(takeWalks));
});

Deno.test("the walks' steps change, wait and undo", () => {
  const kinds = new Set(fc.sample(steps, { numRuns: 100, seed: 3 }).map(({ kind }) => kind));
  assert.deepEqual([...kinds].sort(), ["change", "undo", "wait"]);
});
