import assert from "node:assert/strict";
import fc from "fast-check";
import { stackEnv } from "../../stack.ts";
import { connect } from "../clients.ts";
import { takeWalks } from "./walk.ts";
import { steps } from "./walk_steps.ts";

const clients = connect(stackEnv());

/** Walks that are taken at once; a longer one has still fewer invoices than a minute allows. */
const ROUNDS = [
  { seed: 1, walks: 55, longest: 3 },
  { seed: 2, walks: 55, longest: 3 },
  { seed: 3, walks: 55, longest: 3 },
  { seed: 4, walks: 30, longest: 6 },
];

Deno.test("whatever is changed whenever, a preview is what is charged, and seats follow", async () => {
  await Promise.all(ROUNDS.map((round) => takeWalks(clients, round)));
});

Deno.test("the walks' steps change, wait and undo", () => {
  const kinds = new Set(fc.sample(steps, { numRuns: 100, seed: 3 }).map(({ kind }) => kind));
  assert.deepEqual([...kinds].sort(), ["change", "undo", "wait"]);
});
