import { emptyDataFolder } from "./data_folder.ts";
import { signInDevPeople } from "./dev_people.ts";
import { report, shellVariables } from "./dev_report.ts";
import { CHECKOUT } from "./paths.ts";
import { startStack } from "./stack.ts";

/*
 * The stack for a developer's machine: runs until Ctrl-C, keeps its data in .seatkeeper/.
 *
 *   npm run dev [-- --fresh]     --fresh forgets the data first
 */

const DATA = `${CHECKOUT}/.seatkeeper`;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

const told = Promise.withResolvers<void>();
for (const signal of SIGNALS) Deno.addSignalListener(signal, () => told.resolve());

try {
  if (Deno.args.includes("--fresh")) await emptyDataFolder(DATA);
  const stack = await startStack({
    dataDir: DATA,
    ports: "usual",
    watch: true,
    log: (line) => console.log(line),
  });
  try {
    const people = await signInDevPeople(stack.env, DATA);
    await Deno.writeTextFile(`${DATA}/env`, shellVariables(stack.env, people), { mode: 0o600 });
    console.log(report(stack.env, people, ".seatkeeper/env"));
    await told.promise;
    console.log("Stopping ...");
  } finally {
    await stack.stop();
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  Deno.exit(1);
}
Deno.exit(0);
