import { CACHE, CHECKOUT } from "../local/paths.ts";
import { type Stack, startStack } from "../local/stack.ts";
import { type Bench, connectionOf, withConnections } from "./bench.ts";
import { drawGrowth } from "./chart.ts";
import { type Growth, measureGrowth } from "./growth.ts";
import { isReached, type Line, type Result } from "./line.ts";
import { bulkInvitation } from "./lines/bulk_invitation.ts";
import { capacity } from "./lines/capacity.ts";
import { claimSeatsHot, claimSeatsSpread, prepare } from "./lines/claims.ts";
import { stripeEvents } from "./lines/stripe_events.ts";
import { firstRequest } from "./lines/first_request.ts";
import { memory } from "./lines/memory.ts";
import { longRound, sweep } from "./lines/sweep.ts";
import { webhooks } from "./lines/webhooks.ts";
import { explainHotCalls, type Plans, summarize } from "./plans.ts";
import { machine, type Report, table } from "./report.ts";

/*
 * Measures how fast the product is, each line against a floor of the same run, on a stack of its
 * own. Ends with 1 when a target is missed.
 *
 *   npm run bench [-- [--quick] [<part of a line's name> ...]]
 *   npm run bench -- growth [--quick]
 */

const LINES: readonly Line[] = [
  claimSeatsHot,
  claimSeatsSpread,
  stripeEvents,
  capacity,
  bulkInvitation,
  webhooks,
  sweep,
  firstRequest,
  memory,
];

const FOLDER = `${CACHE}/bench`;

/** Starts a stack whose Postgres keeps what it has committed, as a hosted one does. */
async function ownStack(): Promise<Stack> {
  await Deno.mkdir(FOLDER, { recursive: true });
  const log = await Deno.open(`${FOLDER}/stack.log`, { create: true, write: true, truncate: true });
  const text = new TextEncoder();
  return await startStack({
    dataDir: null,
    durable: true,
    ports: "free",
    log: (line) => log.writeSync(text.encode(`${line}\n`)),
  });
}

async function measure(bench: Bench, lines: readonly Line[]): Promise<Result[]> {
  const results: Result[] = [];
  for (const line of lines) {
    console.log(`${line.name} ...`);
    results.push(...await line.measure(bench));
  }
  return results;
}

async function explain(bench: Bench): Promise<readonly Plans[]> {
  return await withConnections(bench, 1, async (connections) => {
    const [organization] = await prepare(connections, 1000);
    if (organization === undefined) throw new Error("There is no organization to explain with");
    await connectionOf(connections, 0)`analyze`;
    return await explainHotCalls(bench, organization);
  });
}

async function writeReport(name: string, report: Report): Promise<void> {
  const file = `${FOLDER}/${name}.json`;
  await Deno.writeTextFile(file, `${JSON.stringify(report, null, 2)}\n`);
  console.log(`\nWritten to ${file}`);
}

/** Measures growth alone: it fills the database with a million organizations. */
async function grow(quick: boolean): Promise<number> {
  const at = new Date().toISOString();
  const stack = await ownStack();
  try {
    const growth = await measureGrowth({ env: stack.env, quick });
    console.log(`\n${describeGrowth(growth)}`);
    await writeReport("growth", { at, machine: machine(), quick, results: [], growth });
    // What the document shows is a whole run.
    const file = quick ? `${FOLDER}/growth.svg` : `${CHECKOUT}/docs/growth.svg`;
    await Deno.writeTextFile(file, drawGrowth(growth.curves, "Calls a second, as tables grow"));
    console.log(`Drawn to ${file}`);
    return 0;
  } finally {
    await stack.stop();
  }
}

function describeGrowth({ curves, megabytes }: Growth): string {
  const lines = curves.map(({ what, points }) => {
    const rates = points.map(({ organizations, rates: { subject, ratio } }) =>
      `${organizations}: ${subject.toFixed(0)}/s (${(ratio * 100).toFixed(0)} %)`
    );
    return `${what.padEnd(34)}${rates.join("   ")}`;
  });
  return [...lines, `MB on the disk: ${megabytes.join(", ")}`].join("\n");
}

async function main(): Promise<number> {
  const quick = Deno.args.includes("--quick");
  const chosen = Deno.args.filter((argument) => !argument.startsWith("--"));
  if (chosen.includes("growth")) return await grow(quick);
  const named = [...LINES, longRound];
  const lines = chosen.length === 0
    ? LINES
    : named.filter(({ name }) => chosen.some((part) => name.includes(part)));
  if (lines.length === 0) {
    console.error(`The lines are: ${named.map(({ name }) => name).join(", ")}, growth`);
    return 1;
  }
  const at = new Date().toISOString();
  const stack = await ownStack();
  try {
    const bench = { env: stack.env, quick };
    const results = await measure(bench, lines);
    const plans = await explain(bench);
    console.log(`\n${plans.map(summarize).join("\n\n")}`);
    console.log(`\n${table(results)}`);
    await writeReport("report", { at, machine: machine(), quick, results, plans });
    return results.every(isReached) ? 0 : 1;
  } finally {
    await stack.stop();
  }
}

Deno.exit(await main());
