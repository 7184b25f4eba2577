/** A process and who started it. */
interface Process {
  pid: number;
  parent: number;
}

/** Every process that stands below `pid`. */
export async function descendantsOf(pid: number): Promise<number[]> {
  const all = await processes();
  const below = (parent: number): number[] =>
    all.filter((one) => one.parent === parent).flatMap((one) => [one.pid, ...below(one.pid)]);
  return below(pid);
}

/** Which of these processes are still there; one that has ended and is only not reaped is not. */
export async function stillThere(pids: number[]): Promise<number[]> {
  const all = new Set((await processes()).map(({ pid }) => pid));
  return pids.filter((pid) => all.has(pid));
}

async function processes(): Promise<Process[]> {
  if (Deno.build.os === "linux") return await fromProc();
  const { stdout } = await new Deno.Command("ps", { args: ["-A", "-o", "pid=,ppid=,stat="] })
    .output();
  return new TextDecoder().decode(stdout).trim().split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , state]) => !state?.startsWith("Z"))
    .map(([pid, parent]) => ({ pid: Number(pid), parent: Number(parent) }));
}

/** Small machines have no `ps`. */
async function fromProc(): Promise<Process[]> {
  const names = (await Array.fromAsync(Deno.readDir("/proc"))).map(({ name }) => name);
  const found = await Promise.all(
    names.filter((name) => /^\d+$/.test(name)).map(async (name) => {
      const stat = await Deno.readTextFile(`/proc/${name}/stat`).catch(() => "");
      // The program's name stands in parentheses and may hold anything.
      const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return { pid: Number(name), parent: Number(parent), state };
    }),
  );
  return found.filter(({ state }) => state !== undefined && state !== "" && state !== "Z");
}
