/**
 * Ends a Postgres that still serves a data folder although the stack that started it is gone. The
 * caller must hold the lock on the folder around it: then nobody else can be using this server.
 *
 * A `postmaster.pid` whose process is gone, or is another program by now, is left to Postgres,
 * which recovers from it by itself.
 */
export async function endOrphan(data: string): Promise<void> {
  const file = await Deno.readTextFile(`${data}/postmaster.pid`).catch(() => "");
  const pid = Number.parseInt(file);
  if (!Number.isInteger(pid) || !await serves(pid, data)) return;
  Deno.kill(pid, "SIGINT");
  // It isn't our child, so there is no event to wait for: only a look now and then.
  while (await serves(pid, data)) await new Promise((resolve) => setTimeout(resolve, 50));
}

async function serves(pid: number, data: string): Promise<boolean> {
  const { stdout } = await new Deno.Command("ps", {
    args: ["-o", "args=", "-p", `${pid}`],
    stderr: "null",
  }).output();
  const commandLine = new TextDecoder().decode(stdout);
  return commandLine.includes("postgres") && commandLine.includes(data);
}
