/**
 * Ends a Postgres that still serves a data folder although the stack that started it is gone. The
 * caller must hold the lock on the folder around it: then nobody else can be using this server.
 *
 * A `postmaster.pid` whose process is gone, or is another program by now, is left to Postgres,
 * which recovers from it by itself.
 */
export async function endOrphan(data: string): Promise<void> {
  const pid = await pidOf(data).catch(() => null);
  if (pid === null || !await serves(pid, data)) return;
  Deno.kill(pid, "SIGINT");
  // It isn't our child, so there is no event to wait for: only a look now and then.
  while (await serves(pid, data)) await new Promise((resolve) => setTimeout(resolve, 50));
}

/** The process that serves a data folder, or has served it last. Rejects when there is none. */
export async function pidOf(data: string): Promise<number> {
  const pid = Number.parseInt(await Deno.readTextFile(`${data}/postmaster.pid`));
  if (!Number.isInteger(pid)) throw new Error(`${data}/postmaster.pid names no process`);
  return pid;
}

async function serves(pid: number, data: string): Promise<boolean> {
  const commandLine = await commandLineOf(pid);
  return commandLine.includes("postgres") && commandLine.includes(data);
}

/** Answers "" for a process that is gone. */
async function commandLineOf(pid: number): Promise<string> {
  // Linux has it in a file, and often no `ps`; elsewhere there is a `ps`.
  if (Deno.build.os === "linux") {
    return await Deno.readTextFile(`/proc/${pid}/cmdline`).catch(() => "");
  }
  const { stdout } = await new Deno.Command("ps", { args: ["-o", "args=", "-p", `${pid}`] })
    .output();
  return new TextDecoder().decode(stdout);
}
