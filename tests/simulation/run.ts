import fc from "fast-check";
import { type Frame, frames, histories, play } from "./histories.ts";
import type { Model } from "./step.ts";
import type { Theatre, World } from "./world.ts";

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
  /**
   * Until then, in milliseconds since 1970; the history that is under way is played to its end, but
   * not judged.
   */
  readonly until?: number;
  /** How long a failing history may be shrunk, in milliseconds. */
  readonly shrinkMs: number;
  /** Told of a failing history before it is shrunk. */
  readonly onFound?: (failure: Failure) => void;
}

/** Plays histories of a seed until one goes wrong, and shrinks that one; null when none does. */
export async function search(theatre: Theatre, plan: Plan): Promise<Failure | null> {
  const { seed, runs, until, shrinkMs } = plan;
  const found = await check(theatre, {
    seed,
    numRuns: runs,
    endOnFailure: true,
    ...(until === undefined ? {} : { interruptAfterTimeLimit: Math.max(1, until - Date.now()) }),
  });
  if (!found.failed || found.counterexamplePath === null) return null;
  plan.onFound?.(failureOf(found));
  if (shrinkMs === 0) return failureOf(found);
  const shrunk = await check(theatre, {
    seed,
    path: found.counterexamplePath,
    numRuns: 1,
    interruptAfterTimeLimit: shrinkMs,
  });
  return failureOf(shrunk.failed ? shrunk : found);
}

/**
 * Has fast-check play histories; resolves once none is being played any more. When its time is up,
 * fast-check leaves the one that is under way to itself, and it would get into the way of the next.
 */
async function check(
  theatre: Theatre,
  parameters: fc.Parameters<[Frame, Iterable<fc.AsyncCommand<Model, World>>]>,
) {
  let underWay: Promise<unknown> = Promise.resolve();
  const property = fc.asyncProperty(frames, histories(), (frame, steps) => {
    const playing = play(theatre, frame, steps);
    underWay = playing.catch(() => {});
    return playing;
  });
  const found = await fc.check(property, parameters);
  await underWay;
  return found;
}

/** Plays one history again; resolves to how it goes wrong, or null. */
export async function replay(theatre: Theatre, { seed, path }: Seed): Promise<Failure | null> {
  const [place = "", replayPath] = path.split("/");
  let isPlayed = false;
  // The first that fast-check makes of a path is the history that it stands for.
  const once = fc.asyncProperty(frames, histories(replayPath), async (frame, steps) => {
    if (isPlayed) return;
    isPlayed = true;
    await play(theatre, frame, steps);
  });
  const found = await fc.check(once, { seed, path: place, numRuns: 1, endOnFailure: true });
  return found.failed ? failureOf(found) : null;
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
