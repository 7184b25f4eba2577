import { startFunction } from "./function_process.ts";
import { forward, FunctionTimeout } from "./forward.ts";
import { ServedFunction } from "./served_function.ts";
import { checkJwt, readVerifyJwt } from "./verify_jwt.ts";
import { watchFolder } from "./watch.ts";

/** What to serve, and with what. */
export interface FunctionsOptions {
  /** A folder like `supabase/functions`, beside whose parent lies `config.toml`. */
  folder: string;
  /** The whole environment of each function. */
  env: Record<string, string>;
  /** What this project's own tokens are signed with, for functions with `verify_jwt`. */
  jwtSecret: string;
  /** Whether a saved file takes effect at the next request. */
  watch: boolean;
  log: (line: string) => void;
  /** How long a function may take to answer; 150 s, as hosted Supabase has it, unless told. */
  timeoutMs?: number;
}

const TIMEOUT_MS = 150_000;
const NAME = /^[A-Za-z][A-Za-z0-9_-]*$/;

/**
 * The functions of a folder, each served by a process of its own. A folder with an `index.ts` whose
 * name doesn't start with `_` is a function; none is named here.
 */
export class Functions {
  readonly #options: FunctionsOptions;
  readonly #served = new Map<string, ServedFunction>();
  readonly #stopWatching: () => void;

  constructor(options: FunctionsOptions) {
    this.#options = options;
    this.#stopWatching = options.watch
      ? watchFolder(options.folder, () => this.#replaceAll())
      : () => {};
  }

  /** Starts every function, so that no request has to wait for it. Failures show in the log. */
  async warmUp(): Promise<void> {
    const names: string[] = [];
    for await (const { name } of Deno.readDir(this.#options.folder)) {
      if (this.#exists(name)) names.push(name);
    }
    await Promise.all(names.map((name) => this.#function(name).warmUp().catch(() => {})));
  }

  /**
   * Answers a request for the function `name`, or what hosted Supabase answers in its stead: 404
   * for an unknown one, 503 when it can't start, 500 when it crashes, 504 when it takes too long.
   */
  async fetch(name: string, request: Request): Promise<Response> {
    if (!this.#exists(name)) {
      return refuse(404, "NOT_FOUND", "Requested function was not found");
    }
    const refusal = await this.#verify(name, request);
    if (refusal !== null) return refusal;
    const { pathname, search } = new URL(request.url);
    const path = pathname.replace(/^\/functions\/v1/, "");
    const timeoutMs = this.#options.timeoutMs ?? TIMEOUT_MS;
    let started = false;
    const ask = (url: string) => {
      started = true;
      return forward(request, `${url}${path}${search}`, timeoutMs);
    };
    const isCrash = (error: unknown) => !(error instanceof FunctionTimeout);
    try {
      return await this.#function(name).use(ask, isCrash);
    } catch (error) {
      if (!started) {
        return refuse(503, "BOOT_ERROR", "Function failed to start (please check logs)");
      }
      if (error instanceof FunctionTimeout) {
        return refuse(504, "IDLE_TIMEOUT", `Request idle timeout limit (${timeoutMs} ms) reached`);
      }
      this.#options.log(`[functions/${name}] ${error}`);
      return refuse(500, "WORKER_ERROR", "Function exited due to an error (please check logs)");
    }
  }

  /** Kills the function `name` in the middle of what it does, as a crash would. */
  async crash(name: string): Promise<void> {
    await this.#served.get(name)?.crash();
  }

  /** Ends every process. */
  async stop(): Promise<void> {
    this.#stopWatching();
    await Promise.all([...this.#served.values()].map((served) => served.stop()));
  }

  #function(name: string): ServedFunction {
    const known = this.#served.get(name);
    if (known !== undefined) return known;
    const { folder, env, log } = this.#options;
    const served = new ServedFunction(() =>
      startFunction({
        entrypoint: `${folder}/${name}/index.ts`,
        config: `${folder}/deno.json`,
        env,
        onLine: (line) => log(`[functions/${name}] ${line}`),
      })
    );
    this.#served.set(name, served);
    return served;
  }

  #exists(name: string): boolean {
    if (!NAME.test(name)) return false;
    try {
      // At once, here and below: to wait for a thread at each request takes longer than to read.
      return Deno.statSync(`${this.#options.folder}/${name}/index.ts`).isFile;
    } catch {
      return false;
    }
  }

  async #verify(name: string, request: Request): Promise<Response | null> {
    const toml = Deno.readTextFileSync(`${this.#options.folder}/../config.toml`);
    return readVerifyJwt(toml)(name) ? await checkJwt(request, this.#options.jwtSecret) : null;
  }

  #replaceAll(): void {
    this.#options.log("[functions] Source changed, the next request gets it");
    for (const served of this.#served.values()) served.replace();
  }
}

function refuse(status: number, code: string, message: string): Response {
  const headers = { "access-control-allow-origin": "*" };
  return Response.json({ code, message }, { status, headers });
}
