import { LISTENING, serveArguments, serveEnvironment } from "../../local/functions/deno_serve.ts";
import { CHECKOUT } from "../../local/paths.ts";

/** A process that serves one module, by its own id: so that its memory can be read. */
export interface ServedProcess {
  /** `http://127.0.0.1:<port>`, without a trailing slash. */
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/**
 * Serves a module, given by its path in the checkout, and resolves once it listens. Rejects with what
 * it printed when it ends before that.
 */
export async function serve(
  entrypoint: string,
  env: Readonly<Record<string, string>>,
): Promise<ServedProcess> {
  const config = entrypoint.startsWith("supabase/") ? "supabase/functions/deno.json" : "deno.json";
  const child = new Deno.Command(Deno.execPath(), {
    args: serveArguments(entrypoint, config),
    cwd: CHECKOUT,
    env: serveEnvironment(env),
    clearEnv: true,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const listening = Promise.withResolvers<string>();
  let printed = "";
  const read = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      // No more than what says where it listens, or why it does not.
      if (printed.length < 10_000) printed += text;
      const url = printed.match(LISTENING)?.[1];
      if (url !== undefined) listening.resolve(url);
    }
  };
  const reading = Promise.all([read(child.stdout), read(child.stderr)]);
  child.status.then(({ code }) =>
    listening.reject(new Error(`${entrypoint} ended with code ${code}:\n${printed}`))
  );
  return {
    url: await listening.promise,
    pid: child.pid,
    stop: async () => {
      child.kill("SIGKILL");
      await child.status;
      await reading;
    },
  };
}

/** The memory of a process, in MB. */
export interface Memory {
  readonly resident: number;
  /** Pages of files among it: Deno's own, which all of its processes share. Null where nobody tells. */
  readonly ofFiles: number | null;
}

/** Reads the memory of a process. */
export async function memoryOf(pid: number): Promise<Memory> {
  // Linux has it in a file, and often no `ps`; elsewhere there is a `ps`.
  if (Deno.build.os === "linux") {
    const status = await Deno.readTextFile(`/proc/${pid}/status`);
    const megabytes = (name: string) =>
      Number(status.match(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m"))?.[1]) / 1024;
    return { resident: megabytes("VmRSS"), ofFiles: megabytes("RssFile") };
  }
  const { stdout } = await new Deno.Command("ps", { args: ["-o", "rss=", "-p", `${pid}`] })
    .output();
  return { resident: Number(new TextDecoder().decode(stdout)) / 1024, ofFiles: null };
}
