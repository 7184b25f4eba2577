/** One of a list, by a number that may be larger than it is long. */
export function pick(list: readonly string[], n: number): string {
  return list[n % Math.max(1, list.length)] ?? "";
}

/** All that one can choose of a list. */
export function subsets(people: readonly string[]): string[][] {
  return people.reduce<string[][]>(
    (sets, one) => [...sets, ...sets.map((set) => [...set, one])],
    [[]],
  );
}
