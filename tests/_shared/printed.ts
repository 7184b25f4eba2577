/** What was written to the console, and by which of its methods. */
export interface Printed {
  readonly to: "log" | "warn" | "error";
  readonly line: string;
}

/** Runs, and returns what was written to the console meanwhile. */
export async function printedBy(run: () => unknown): Promise<Printed[]> {
  const printed: Printed[] = [];
  const { log, warn, error } = console;
  for (const to of ["log", "warn", "error"] as const) {
    console[to] = (line: unknown) => printed.push({ to, line: String(line) });
  }
  try {
    await run();
  } finally {
    Object.assign(console, { log, warn, error });
  }
  return printed;
}
