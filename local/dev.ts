import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { emptyDataFolder } from "./data_folder.ts";
import { signInDevPeople } from "./dev_people.ts";
import { report, shellVariables } from "./dev_report.ts";
import { CHECKOUT } from "./paths.ts";
import { startStack } from "./stack.ts";
import { startSweepClock } from "./sweep_clock.ts";

/*
 * The stack for a developer's machine: runs until Ctrl-C, keeps its data in .seatkeeper/.
 *
 *   npm run dev [-- [--fresh] [--data <folder>]]
 *
 * --fresh forgets the data first; --data is for a second stack beside the first.
 */

const { values: options } = parseArgs({
  args: Deno.args,
  options: { fresh: { type: "boolean" }, data: { type: "string" } },
});
const data = resolve(options.data ?? `${CHECKOUT}/.seatkeeper`);
const SWEEP_EVERY_MS = 60_000;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

const told = Promise.withResolvers<void>();
for (const signal of SIGNALS) Deno.addSignalListener(signal, () => told.resolve());

try {
  if (options.fresh) await emptyDataFolder(data);
  const log = (line: string) => console.log(line);
  const stack = await startStack({ dataDir: data, ports: "usual", watch: true, log });
  const clock = startSweepClock({
    url: stack.env.SUPABASE_URL,
    secretKey: stack.env.SUPABASE_SECRET_KEY,
    everyMs: SWEEP_EVERY_MS,
    log,
  });
  try {
    const people = await signInDevPeople(stack.env, data);
    await Deno.writeTextFile(`${data}/env`, shellVariables(stack.env, people), { mode: 0o600 });
    console.log(report(stack.env, people, `${data}/env`));
    await told.promise;
    console.log("Stopping ...");
  } finally {
    await clock.stop();
    await stack.stop();
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  Deno.exit(1);
}
Deno.exit(0);
