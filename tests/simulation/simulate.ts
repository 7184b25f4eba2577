import { parseArgs } from "node:util";
import { CACHE, CHECKOUT } from "../../local/paths.ts";
import { BROKEN_RULES, whileBroken } from "./broken_rules.ts";
import { type Failure, replay, search, told } from "./run.ts";
import { openTheatre, type Theatre } from "./world.ts";

/*
 * Plays random histories against a stack of its own, for as long as one likes:
 *
 *   npm run simulate -- --minutes 60
 *   npm run simulate -- --seed 1 --path 0:1/ABC:D     one history again, as a failure names it
 *   npm run simulate -- --broken [part of a name]     breaks rules, each of which has to be noticed
 *   npm run simulate -- --broken watermark --seed 1 --path 3     one history, while a rule is broken
 */

const LOG = `${CACHE}/simulation.log`;
/** Histories of one seed. */
const RUNS = 20;
const SHRINK_MS = 120_000;
/** How often one history is played again: one in which requests race may go well at first. */
const REPLAYS = 5;
/** How soon a broken rule has to be noticed, and in which histories. */
const NOTICED_MS = 60_000;
const SEED = 7;

const { values: options, positionals: [part = ""] } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: {
    minutes: { type: "string", default: "1" },
    seed: { type: "string" },
    path: { type: "string" },
    broken: { type: "boolean", default: false },
  },
});

async function main(): Promise<number> {
  await Deno.mkdir(CACHE, { recursive: true });
  const log = await Deno.open(LOG, { create: true, write: true, truncate: true });
  const text = new TextEncoder();
  const theatre = await openTheatre((line) => log.writeSync(text.encode(`${line}\n`)));
  // The helpers of the functions' tests look for a stack in the environment.
  for (const [name, value] of Object.entries(theatre.env)) Deno.env.set(name, value);
  try {
    if (options.broken) return await breakRules(theatre);
    const failure = options.path === undefined
      ? await searchLong(theatre)
      : await playAgain(theatre, options.path);
    if (failure !== null) report(failure);
    return failure === null ? 0 : 1;
  } finally {
    await theatre.close();
  }
}

async function searchLong(theatre: Theatre): Promise<Failure | null> {
  const until = Date.now() + Number(options.minutes) * 60_000;
  let seed = options.seed === undefined ? Date.now() % 2 ** 31 : Number(options.seed);
  for (; Date.now() < until; seed++) {
    const plan = { seed, runs: RUNS, until, shrinkMs: SHRINK_MS, onFound: report };
    const failure = await search(theatre, plan);
    if (failure !== null) return failure;
    const { histories, steps } = theatre.played;
    console.log(`${histories} histories of ${steps} steps, up to seed ${seed}`);
  }
  return null;
}

/** Plays the history of a path until it goes wrong, a few times at the most. */
async function playAgain(theatre: Theatre, path: string): Promise<Failure | null> {
  for (let time = 1; time <= REPLAYS; time++) {
    const failure = await replay(theatre, { seed: Number(options.seed ?? SEED), path });
    if (failure !== null) return failure;
    console.log(`Nothing went wrong, ${time} of ${REPLAYS} times`);
  }
  return null;
}

/** Breaks one rule after the other; answers how many of them nobody noticed. */
async function breakRules(theatre: Theatre): Promise<number> {
  let unnoticed = 0;
  for (const rule of BROKEN_RULES.filter(({ name }) => name.includes(part))) {
    const begun = Date.now();
    const { steps } = theatre.played;
    const failure = await whileBroken(
      theatre.clients,
      rule,
      () =>
        options.path === undefined
          ? searchBriefly(theatre, begun + NOTICED_MS)
          : playAgain(theatre, options.path),
    );
    const seconds = Math.round((Date.now() - begun) / 1000);
    const taken = `in ${seconds} s, ${theatre.played.steps - steps} steps: ${rule.name}`;
    if (failure === null) unnoticed++;
    console.log(failure === null ? `NOT NOTICED ${taken}` : `noticed ${taken}`);
    if (failure === null) continue;
    console.log(`    ${whatOf(failure.error)}\n    --seed ${failure.seed} --path ${failure.path}`);
  }
  return unnoticed;
}

function searchBriefly(theatre: Theatre, until: number): Promise<Failure | null> {
  const seed = Number(options.seed ?? SEED);
  return search(theatre, { seed, runs: 1000, until, shrinkMs: 0 });
}

/** What an error is about, and what was not expected of it, in a line. */
function whatOf(error: unknown): string {
  const lines = String(error instanceof Error ? error.message : error).split("\n");
  const [first = "", ...others] = lines;
  const told = others.filter((line) => /^[+-] /.test(line) && !line.startsWith("+ actual"));
  return [first, ...told].map((line) => line.replace(/\s+/g, " ")).join(" ").slice(0, 200);
}

function report(failure: Failure): void {
  console.error(`\n${told(failure)}\n\nThe stack's log is ${LOG.slice(CHECKOUT.length + 1)}\n`);
}

Deno.exit(await main());
