import { CHECKOUT } from "../paths.ts";
import { startLeashed } from "../processes/leash.ts";
import { LISTENING, serveArguments, serveEnvironment } from "./deno_serve.ts";

/** One function as a process of its own, listening on a port of its own. */
export interface FunctionProcess {
  /** `http://127.0.0.1:<port>`, without a trailing slash. */
  url: string;
  ended: Promise<number>;
  stop(): Promise<void>;
  /** Ends it with SIGKILL. */
  kill(): Promise<void>;
}

/** What to serve, and with what. */
export interface FunctionProcessOptions {
  /** Path of the function's `index.ts`. */
  entrypoint: string;
  /** Path of the `deno.json` with the functions' imports. */
  config: string;
  env: Record<string, string>;
  onLine: (line: string) => void;
}

/**
 * Starts a function with `deno serve` and resolves once it listens. Rejects with what it printed
 * when it ends before that.
 */
export function startFunction(options: FunctionProcessOptions): Promise<FunctionProcess> {
  const { entrypoint, config, env, onLine } = options;
  const listening = Promise.withResolvers<FunctionProcess>();
  const lines: string[] = [];
  const server = startLeashed({
    command: Deno.execPath(),
    args: serveArguments(entrypoint, config),
    env: serveEnvironment(env),
    cwd: CHECKOUT,
    stopSignal: "TERM",
    // It would wait for its last answers; whoever ends it has done so, where it matters.
    patienceMs: 1000,
    onLine: (line) => {
      const url = line.match(LISTENING)?.[1];
      if (url !== undefined) {
        const { ended, stop, kill } = server;
        listening.resolve({ url, ended, stop, kill });
      } else {
        lines.push(line);
        onLine(line);
      }
    },
  });
  server.ended.then((code) => {
    listening.reject(new Error(`The function ended with code ${code}:\n${lines.join("\n")}`));
  });
  return listening.promise;
}
