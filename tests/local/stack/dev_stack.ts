import { CACHE, CHECKOUT } from "../../../local/paths.ts";
import { TextLineStream } from "../../../local/processes/lines.ts";

/** `npm run dev` as a process of its own, on a data folder of its own. */
export interface DevStack {
  pid: number;
  /** What it left in its file of shell variables. */
  variables: Record<string, string>;
  /** Everything that it has printed so far. */
  printed: string[];
  /** Sends a signal and answers the exit code, or null when the signal itself ended it. */
  end(signal: Deno.Signal): Promise<number | null>;
}

/** A data folder's path, not made yet. */
export function newDataPath(): string {
  return `${CACHE}/tests/${crypto.randomUUID()}`;
}

/** Starts it and waits until it is ready. Rejects with what it printed when it ends before that. */
export async function startDev(data: string, ...options: string[]): Promise<DevStack> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", `${CHECKOUT}/local/dev.ts`, "--data", data, ...options],
    cwd: CHECKOUT,
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const printed: string[] = [];
  const ready = Promise.withResolvers<void>();
  const read = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    for await (
      const line of stream.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream())
    ) {
      printed.push(line);
      if (line.includes("CLERK_ORGANIZATION_ID")) ready.resolve();
    }
  };
  const reading = Promise.all([read(child.stdout), read(child.stderr)]);
  const ended = child.status.then(async ({ code, signal }) => {
    await reading;
    ready.reject(new Error(printed.join("\n")));
    return signal === null ? code : null;
  });
  await ready.promise;
  return {
    pid: child.pid,
    variables: readVariables(await Deno.readTextFile(`${data}/env`)),
    printed,
    end: async (signal) => {
      child.kill(signal);
      return await ended;
    },
  };
}

function readVariables(text: string): Record<string, string> {
  const lines = [...text.matchAll(/^export (\w+)='(.*)'$/gm)];
  return Object.fromEntries(lines.map(([, name = "", value = ""]) => [name, value]));
}
