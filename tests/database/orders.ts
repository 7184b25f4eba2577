import fc from "fast-check";

/** Every order of some things. */
export function* permutations<T>(things: readonly T[]): Generator<T[]> {
  if (things.length === 0) yield [];
  for (const [index, first] of things.entries()) {
    const rest = things.toSpliced(index, 1);
    for (const order of permutations(rest)) yield [first, ...order];
  }
}

/** Something that is delivered, for the first time or again. */
export interface Repetition<T> {
  readonly thing: T;
  /** 1 the first time. */
  readonly time: number;
}

/**
 * Delivers things once, some twice and one of them three times, others for another `pattern`: the
 * second deliveries come in reverse order after all of the first, the third one last.
 */
export function repeated<T>(things: readonly T[], pattern: number): Repetition<T>[] {
  const timesOf = (index: number) => Math.max(1, 3 - (index + pattern) % things.length);
  const again = (time: number) =>
    things.filter((_, index) => timesOf(index) >= time).map((thing) => ({ thing, time }));
  return [...again(1), ...again(2).toReversed(), ...again(3)];
}

/** Random orders of some things, each delivered once, twice or three times, anywhere. */
export function shuffledRepetitions<T>(things: readonly T[]): fc.Arbitrary<Repetition<T>[]> {
  const times = fc.array(fc.integer({ min: 1, max: 3 }), {
    minLength: things.length,
    maxLength: things.length,
  });
  return times
    .map((times) => things.flatMap((thing, index) => Array<T>(times[index] ?? 1).fill(thing)))
    .chain((all) => fc.shuffledSubarray(all, { minLength: all.length, maxLength: all.length }))
    .map((order) =>
      order.map((thing, index) => ({
        thing,
        time: order.slice(0, index + 1).filter((other) => other === thing).length,
      }))
    );
}
