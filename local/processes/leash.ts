import { TextLineStream } from "./lines.ts";

/** What to start, and how. */
export interface LeashOptions {
  command: string;
  args: string[];
  /** The whole environment of the process: nothing is inherited. */
  env: Record<string, string>;
  cwd?: string;
  /** The signal that asks this program to end in order. */
  stopSignal: "INT" | "TERM";
  /** How long it may take for that before it is killed. */
  patienceMs: number;
  /** Gets each line that the program prints, on either stream. */
  onLine: (line: string) => void;
}

/** A running program that can't outlive the process that started it. */
export interface Leashed {
  /** Resolves with the exit code once the program has ended, whatever ended it. */
  ended: Promise<number>;
  /** Asks the program to end and resolves once it has; kills it when it takes too long. */
  stop(): Promise<void>;
  /** Ends the program where it stands, without a chance to do anything; resolves once it has. */
  kill(): Promise<void>;
}

/*
 * The shell holds one end of a pipe, this process the other. When the pipe closes, because stop()
 * closed it or because this process died, however suddenly, the shell ends the program.
 */
const LEASH = `
signal=$1; shift
exec 3<&0
"$@" </dev/null 3<&- &
program=$!
(exec >/dev/null 2>&1; read -r line <&3; kill -s "$signal" "$program") &
holder=$!
exec 3<&-
{ wait "$program"; } 2>/dev/null; code=$?
kill "$holder" 2>/dev/null
exit "$code"
`;

/**
 * Starts a program in a session of its own, so that Ctrl-C in a terminal reaches only the process
 * that starts it and the order of ending stays with that one. Throws when there is no `/bin/sh`;
 * a program that can't be found ends with code 126 or 127.
 */
export function startLeashed(options: LeashOptions): Leashed {
  const shell = new Deno.Command("/bin/sh", {
    args: ["-c", LEASH, "leash", options.stopSignal, options.command, ...options.args],
    env: options.env,
    clearEnv: true,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    detached: true,
  }).spawn();
  const printed = Promise.all([
    eachLine(shell.stdout, options.onLine),
    eachLine(shell.stderr, options.onLine),
  ]);
  let running = true;
  const ended = shell.status.then(async ({ code }) => {
    running = false;
    await printed;
    return code;
  });
  const release = () => shell.stdin.close().catch(() => {});
  ended.finally(release);
  const kill = () => running && Deno.kill(-shell.pid, "SIGKILL");

  return {
    ended,
    kill: async () => {
      kill();
      await ended;
    },
    stop: async () => {
      await release();
      const timer = setTimeout(kill, options.patienceMs);
      await ended;
      clearTimeout(timer);
    },
  };
}

async function eachLine(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  onLine: (line: string) => void,
): Promise<void> {
  const lines = stream.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
  for await (const line of lines) onLine(line);
}
