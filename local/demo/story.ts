import { isDeepStrictEqual } from "node:util";
import type { Numbers } from "./numbers.ts";

/** What must hold after a step. */
export interface Expectation {
  what: string;
  expected: unknown;
  actual: unknown;
}

/** Tells the demo on the terminal, step by step, and remembers whether every number was right. */
export class Story {
  #step = 0;
  #wrong = 0;

  /** Whether every expectation so far was met. */
  get isRight(): boolean {
    return this.#wrong === 0;
  }

  /** How many expectations were not met. */
  get wrong(): number {
    return this.#wrong;
  }

  /** Begins a step. */
  begin(title: string): void {
    this.#step++;
    console.log(`\n${bold(`${this.#step}. ${title}`)}`);
  }

  /** Tells what is being done. */
  tell(line: string): void {
    console.log(`   ${line}`);
  }

  /** Shows the numbers before and after, beside those that were expected, in a table. */
  compare(before: Numbers, after: Numbers, expected: Partial<Numbers>): void {
    const row = (...cells: string[]) =>
      cells.map((cell, n) => n === 0 ? cell.padEnd(16) : cell.padStart(9)).join(" ");
    console.log(dim(`\n   ${row("", "before", "after", "expected")}`));
    for (const name of keysOf(after)) {
      const wanted = expected[name];
      const mark = wanted === undefined ? " " : this.#check(after[name] === wanted);
      const cells = [name, `${before[name]}`, `${after[name]}`, `${wanted ?? ""}`];
      console.log(` ${mark} ${row(...cells)}`);
    }
  }

  /** Checks single facts, one a line. */
  expect(...expectations: Expectation[]): void {
    for (const { what, expected, actual } of expectations) {
      const isMet = isDeepStrictEqual(expected, actual);
      const found = isMet ? "" : `, but it is ${JSON.stringify(actual)}`;
      console.log(` ${this.#check(isMet)} ${what}: ${JSON.stringify(expected)}${found}`);
    }
  }

  #check(isRight: boolean): string {
    if (!isRight) this.#wrong++;
    return isRight ? green("✓") : red("✗");
  }
}

function keysOf<T extends object>(value: T): (keyof T & string)[] {
  return Object.keys(value) as (keyof T & string)[];
}

const colour = (code: number) => (text: string) =>
  Deno.noColor ? text : `\x1b[${code}m${text}\x1b[0m`;
const bold = colour(1);
const dim = colour(2);
const red = colour(31);
const green = colour(32);
