import { CHECKOUT } from "../../local/paths.ts";
import { startFunction } from "../../local/functions/function_process.ts";
import { functionEnvironment } from "../../local/stack_env.ts";
import type { Clients } from "./clients.ts";

const FOLDER = `${CHECKOUT}/supabase/functions`;

/** A function as a process of its own, with an environment of its own. */
export interface ServedFunction {
  /** To be used as the `base` of a call. */
  readonly base: string;
  /** What it has written to its log so far. */
  readonly lines: readonly string[];
  /** Ends the process with SIGKILL: what it was at stays undone. */
  kill(): Promise<void>;
}

/** Settings that differ from the stack's; undefined takes one away. */
export type Settings = Readonly<Record<string, string | undefined>>;

/** Runs with a function that is served, on the stack's database, with other settings. */
export async function withFunction(
  { env }: Clients,
  name: string,
  settings: Settings,
  run: (served: ServedFunction) => Promise<void>,
): Promise<void> {
  const lines: string[] = [];
  const process = await startFunction({
    entrypoint: `${FOLDER}/${name}/index.ts`,
    config: `${FOLDER}/deno.json`,
    env: Object.fromEntries(
      Object.entries({ ...functionEnvironment(env), ...settings })
        .flatMap(([name, value]) => value === undefined ? [] : [[name, value]]),
    ),
    onLine: (line) => lines.push(line),
  });
  try {
    await run({ base: process.url, lines, kill: process.kill });
  } finally {
    await process.stop();
  }
}

/** An address at which nobody listens. */
export function closedAddress(): string {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return `http://127.0.0.1:${port}`;
}

/** The lines of a log that are JSON, of one level if it is given. */
export function logged(
  { lines }: ServedFunction,
  level?: string,
): Readonly<Record<string, unknown>>[] {
  return lines
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line))
    .filter((line) => level === undefined || line.level === level);
}
