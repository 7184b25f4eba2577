import { type Stack, startStack } from "../local/stack.ts";
import { CACHE, CHECKOUT } from "../local/paths.ts";
import type { StackEnv } from "../local/stack_env.ts";
import { readCounts } from "./counts.ts";

/*
 * Runs the tests, all against one stack: the one whose address and keys the environment holds
 * (SUPABASE_URL and the other names of StackEnv), or else one of their own.
 *
 *   npm test [-- <arguments of deno test>]
 */

const LOG = `${CACHE}/test-stack.log`;
const REPORT = `${CACHE}/test-report.xml`;
const SHOWN_LINES = 60;

/**
 * What is tested. The simulation takes longest of all files and has a stack of its own: begun last, by
 * its name, it would be waited for alone.
 */
const FILES = ["tests/simulation/simulation.test.ts", "tests/"];

/** Files at the same time, unless told: of those that each core has, one waits now and then. */
const JOBS = Deno.env.get("DENO_JOBS") ?? `${navigator.hardwareConcurrency + 1}`;

/** What must never reach a log. */
const SECRETS = [
  "SUPABASE_SECRET_KEY",
  "DATABASE_URL",
  "STRIPE_SECRET_KEY",
  "STRIPE_WEBHOOK_SECRET",
  "CLERK_SECRET_KEY",
  "CLERK_WEBHOOK_SIGNING_SECRET",
] as const satisfies readonly (keyof StackEnv)[];

/** A JWT: header, claims and signature. */
const SESSION_TOKEN = /eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}/;

/** Starts the tests' own stack, its log in a file. */
async function ownStack(): Promise<Stack> {
  await Deno.mkdir(CACHE, { recursive: true });
  const log = await Deno.open(LOG, { create: true, write: true, truncate: true });
  const text = new TextEncoder();
  return await startStack({
    dataDir: null,
    ports: "free",
    log: (line) => log.writeSync(text.encode(`${line}\n`)),
  });
}

/** Runs `deno test`; answers its exit code. A signal ends it, and with it the wait for it. */
async function runTests(env: Record<string, string>): Promise<number> {
  const chosen = Deno.args.some((argument) => argument.startsWith("tests/")) ? [] : FILES;
  const tests = new Deno.Command(Deno.execPath(), {
    args: [
      "test",
      "-A",
      "--no-check",
      "--parallel",
      `--junit-path=${REPORT}`,
      ...Deno.args,
      ...chosen,
    ],
    cwd: CHECKOUT,
    env: { ...env, DENO_JOBS: JOBS },
  }).spawn();
  const pass = (signal: Deno.Signal) => () => tests.kill(signal);
  const signals = (["SIGINT", "SIGTERM", "SIGHUP"] as const).map((name) => ({
    name,
    handler: pass(name),
  }));
  for (const { name, handler } of signals) Deno.addSignalListener(name, handler);
  const { code } = await tests.status;
  for (const { name, handler } of signals) Deno.removeSignalListener(name, handler);
  return code;
}

/** What the stack said, where tests have failed: often the reason. */
async function showLog(): Promise<void> {
  const lines = (await Deno.readTextFile(LOG)).trimEnd().split("\n");
  if (lines.join("") === "") return;
  console.error(`\nThe end of the stack's log (${LOG.slice(CHECKOUT.length + 1)}):`);
  console.error(lines.slice(-SHOWN_LINES).join("\n"));
}

/** Which secrets of the run its log has told, by their names; never what they are. */
async function toldSecrets(env: StackEnv): Promise<string[]> {
  const log = await Deno.readTextFile(LOG);
  const told = SECRETS.filter((name) => log.includes(env[name]));
  return SESSION_TOKEN.test(log) ? [...told, "a session token"] : told;
}

async function main(): Promise<number> {
  if (Deno.env.has("SUPABASE_URL")) return await runTests({});
  const stack = await ownStack();
  let code = 1;
  try {
    code = await runTests({ ...stack.env });
  } finally {
    await stack.stop();
  }
  const told = await toldSecrets(stack.env);
  if (told.length > 0) {
    console.error(`The stack's log has told ${told.join(", ")}`);
    return 1;
  }
  if (code !== 0) await showLog();
  return code;
}

await Deno.remove(REPORT).catch(() => {});
const code = await main();
const counts = readCounts(await Deno.readTextFile(REPORT).catch(() => ""));
const { passed, skipped } = counts;
// A run can fail outside of every test: a file that can't be loaded, for one.
const failed = Math.max(counts.failed, code === 0 ? 0 : 1);
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
Deno.exit(code);
