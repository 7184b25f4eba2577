import fc from "fast-check";
import { frames, histories, play } from "./histories.ts";
import type { Theatre } from "./world.ts";

/** A history, by what generates it. */
export interface Seed {
  readonly seed: number;
  /** Which history of the seed, how it was shrunk and, after a `/`, which of its steps it took. */
  readonly path: string;
}

/** A history that went wrong. */
export interface Failure extends Seed {
  /** Its steps. */
  readonly story: string;
  readonly error: unknown;
}

/** What to play. */
export interface Plan {
  readonly seed: number;
  /** Histories at the most. */
  readonly runs: number;
  /** Until then, in milliseconds since 1970; the history that is under way is played to its end. */
  readonly until?: number;
  /** How long a failing history may be shrunk, in milliseconds. */
  readonly shrinkMs: number;
  /** Told of a failing history before it is shrunk. */
  readonly onFound?: (failure: Failure) => void;
}

/** Plays histories of a seed until one goes wrong, and shrinks that one; null when none does. */
export async function search(theatre: Theatre, plan: Plan): Promise<Failure | null> {
  const { seed, runs, until, shrinkMs } = plan;
  const found = await fc.check(property(theatre), {
    seed,
    numRuns: runs,
    endOnFailure: true,
    ...(until === undefined ? {} : { interruptAfterTimeLimit: Math.max(1, until - Date.now()) }),
  });
  if (!found.failed || found.counterexamplePath === null) return null;
  plan.onFound?.(failureOf(found));
  if (shrinkMs === 0) return failureOf(found);
  const shrunk = await fc.check(property(theatre), {
    seed,
    path: found.counterexamplePath,
    numRuns: 1,
    interruptAfterTimeLimit: shrinkMs,
  });
  return failureOf(shrunk.failed ? shrunk : found);
}

/** Plays one history again; resolves to how it goes wrong, or null. */
export async function replay(theatre: Theatre, { seed, path }: Seed): Promise<Failure | null> {
  const [place = "", replayPath] = path.split("/");
  let isPlayed = false;
  const once = property(theatre, replayPath, () => {
    const isFirst = !isPlayed;
    isPlayed = true;
    return isFirst;
  });
  const found = await fc.check(once, { seed, path: place, numRuns: 1, endOnFailure: true });
  return found.failed ? failureOf(found) : null;
}

function property(theatre: Theatre, replayPath?: string, isWanted = () => true) {
  return fc.asyncProperty(frames, histories(replayPath), async (frame, steps) => {
    if (isWanted()) await play(theatre, frame, steps);
  });
}

interface Found {
  readonly seed: number;
  readonly counterexamplePath: string | null;
  readonly counterexample: readonly unknown[] | null;
  readonly errorInstance: unknown;
}

function failureOf({ seed, counterexamplePath, counterexample, errorInstance }: Found): Failure {
  const story = String(counterexample?.[1]);
  // Nothing before the colon: a history that is not shrunk is what its path generates.
  const replayPath = story.match(/replayPath="([^"]+:[^"]*)"/)?.[1];
  const steps = story.replace(/\/\*.*\*\//, "").split(",").map((step) => step.trim());
  return {
    seed,
    path: counterexamplePath + (replayPath === undefined ? "" : `/${replayPath}`),
    story: [fc.stringify(counterexample?.[0]), ...steps].join("\n  "),
    error: errorInstance,
  };
}

/** Tells a failure, and how to play it again. */
export function told({ seed, path, story, error }: Failure): string {
  const what = error instanceof Error ? error.stack : String(error);
  const command = `npm run simulate -- --seed ${seed} --path ${path}`;
  return `  ${story}\n\n${what}\n\nThe same history again:\n\n  ${command}`;
}
