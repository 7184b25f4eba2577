import type { Bench } from "./bench.ts";

/** What a figure has to reach. */
export interface Target {
  readonly sense: "at least" | "at most";
  readonly value: number;
  /** `%` stands for a ratio to the floor, where 1 is as fast as the floor. */
  readonly unit: "%" | "x" | "MB";
}

/** One row of the table. */
export interface Result {
  /** What was measured. */
  readonly what: string;
  /** What it is measured against. */
  readonly floor: string;
  readonly value: number;
  readonly target: Target;
  /** The measured sizes behind the value, in their own units. */
  readonly measured: Readonly<Record<string, number | readonly number[]>>;
}

/** A line of the bench: what it is chosen by, and how it is measured. */
export interface Line {
  readonly name: string;
  measure(bench: Bench): Promise<readonly Result[]>;
}

/** Whether a result reaches its target. */
export function isReached({ value, target }: Result): boolean {
  return target.sense === "at least" ? value >= target.value : value <= target.value;
}
