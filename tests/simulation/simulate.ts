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
 */

const LOG = `${CACHE}/simulation.log`;
/** Histories of one seed. */
const RUNS = 20;
const SHRINK_MS = 120_000;
/** How soon a broken rule has to be noticed. */
const NOTICED_MS = 60_000;

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
      : await replay(theatre, { seed: Number(options.seed), path: options.path });
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

/** Breaks one rule after the other; answers how many of them nobody noticed. */
async function breakRules(theatre: Theatre): Promise<number> {
  let unnoticed = 0;
  for (const rule of BROKEN_RULES.filter(({ name }) => name.includes(part))) {
    const begun = Date.now();
    const failure = await whileBroken(theatre.clients, rule, () =>
      search(theatre, {
        seed: Number(options.seed ?? 1),
        runs: 1000,
        until: begun + NOTICED_MS,
        shrinkMs: 0,
      }));
    const seconds = Math.round((Date.now() - begun) / 1000);
    if (failure === null) unnoticed++;
    console.log(
      failure === null
        ? `NOT NOTICED in ${seconds} s: ${rule.name}`
        : `noticed in ${seconds} s: ${rule.name}\n    ${firstLine(failure.error)}`,
    );
  }
  return unnoticed;
}

function firstLine(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split("\n")[0] ?? "";
}

function report(failure: Failure): void {
  console.error(`\n${told(failure)}\n\nThe stack's log is ${LOG.slice(CHECKOUT.length + 1)}\n`);
}

Deno.exit(await main());
