/** How many tests ran, and how they ended. */
export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** Reads the counts from the JUnit report of `deno test`. */
export function readCounts(report: string): Counts {
  const suites = [...report.matchAll(/<testsuite\s[^>]*>/g)].map(([tag]) => tag);
  const sum = (name: string) =>
    suites.reduce((total, tag) => total + Number(tag.match(`\\s${name}="(\\d+)"`)?.[1] ?? 0), 0);
  const failed = sum("failures") + sum("errors");
  const skipped = sum("disabled");
  return { passed: sum("tests") - failed - skipped, failed, skipped };
}
