import { isReached, type Result, type Target } from "./line.ts";

/** Everything that one run has found, as it is written to a file. */
export interface Report {
  readonly at: string;
  readonly machine: Readonly<Record<string, string | number>>;
  readonly quick: boolean;
  readonly results: readonly Result[];
  readonly [more: string]: unknown;
}

/** What the figures were measured on. */
export function machine(): Readonly<Record<string, string | number>> {
  return {
    system: `${Deno.build.os} ${Deno.build.arch}`,
    cores: navigator.hardwareConcurrency,
    load: Deno.build.os === "windows" ? 0 : Deno.loadavg()[0] ?? 0,
    deno: Deno.version.deno,
  };
}

/** The results as a table, a line each. */
export function table(results: readonly Result[]): string {
  const rows = results.map((result) => [
    result.what,
    result.floor,
    format(result.value, result.target),
    `${result.target.sense} ${format(result.target.value, result.target)}`,
    isReached(result) ? "pass" : "FAIL",
  ]);
  const all = [["what", "floor", "measured", "target", ""], ...rows];
  const widths = [0, 1, 2, 3, 4].map((column) =>
    Math.max(...all.map((row) => row[column]?.length ?? 0))
  );
  return all.map((row) =>
    row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ").trimEnd()
  ).join("\n");
}

function format(value: number, { unit }: Target): string {
  if (unit === "%") return `${(value * 100).toFixed(0)} %`;
  return unit === "x" ? `${value.toFixed(1)} x` : `${value.toFixed(0)} MB`;
}
