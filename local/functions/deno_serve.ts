/*
 * Network and environment, as at hosted Supabase; no files, no programs. Modules come from what is
 * installed: a function that is being edited must neither download nor rewrite the lock file.
 */
const FLAGS = ["--no-prompt", "--allow-net", "--allow-env", "--cached-only", "--frozen"];

/*
 * The memory that hosted Supabase gives a function, in MB (Supabase: functions, limits). Its runtime
 * hands it to V8 as the heap's limit, and V8 derives from it how much it lets lie before it collects.
 */
const MEMORY = 256;

/** What a function's process prints once it listens; the first group is its address. */
export const LISTENING = /Listening on (http:\/\/127\.0\.0\.1:\d+)/;

/**
 * The arguments with which `deno` serves a module at 127.0.0.1, on any free port.
 *
 * @param entrypoint the path of the module
 * @param config the path of the `deno.json` with its imports
 */
export function serveArguments(entrypoint: string, config: string): string[] {
  return ["serve", "--host=127.0.0.1", "--port=0", ...FLAGS, `--config=${config}`, entrypoint];
}

/** The environment of such a process: its own, and what Deno itself needs. */
export function serveEnvironment(own: Readonly<Record<string, string>>): Record<string, string> {
  const environment: Record<string, string> = {
    NO_COLOR: "1",
    DENO_NO_UPDATE_CHECK: "1",
    DENO_V8_FLAGS: `--max-heap-size=${MEMORY}`,
    ...own,
  };
  // Where the installed modules are.
  for (const name of ["DENO_DIR", "NPM_CONFIG_REGISTRY"]) {
    const value = Deno.env.get(name);
    if (value !== undefined) environment[name] = value;
  }
  return environment;
}
