import { CHECKOUT } from "../paths.ts";
import { startLeashed } from "../processes/leash.ts";

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

/*
 * Network and environment, as at hosted Supabase; no files, no programs. Modules come from what is
 * installed: a function that is being edited must neither download nor rewrite the lock file.
 */
const FLAGS = ["--no-prompt", "--allow-net", "--allow-env", "--cached-only", "--frozen"];
const LISTENING = /Listening on (http:\/\/127\.0\.0\.1:\d+)/;

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
    args: ["serve", "--host=127.0.0.1", "--port=0", ...FLAGS, `--config=${config}`, entrypoint],
    env: { ...env, ...runtimeEnvironment() },
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

/** What Deno itself needs: where the installed modules are. */
function runtimeEnvironment(): Record<string, string> {
  const own: Record<string, string> = { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" };
  for (const name of ["DENO_DIR", "NPM_CONFIG_REGISTRY"]) {
    const value = Deno.env.get(name);
    if (value !== undefined) own[name] = value;
  }
  return own;
}
