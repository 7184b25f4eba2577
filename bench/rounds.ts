/** Something that is done again and again: `client` says by which of the connections. */
export type Work = (client: number) => Promise<unknown>;

/** How a floor and its subject are measured against each other. */
export interface Rounds {
  /** How many clients work at the same time, each one thing after the other. */
  readonly clients: number;
  readonly rounds: number;
  /** How long each of the two works in a round, in milliseconds. */
  readonly milliseconds: number;
}

/** What came of it. */
export interface Rates {
  /** Done in a second: the median of the rounds. */
  readonly floor: number;
  readonly subject: number;
  /** Subject to floor: the median of each round's own ratio. */
  readonly ratio: number;
  /** The ratio of each round, in their order. */
  readonly ratios: readonly number[];
}

/** Postgres plans a statement anew five times before a connection keeps a plan of it. */
const UNCOUNTED = 8;

/**
 * Lets floor and subject work in turns, so that whatever else the machine is at meets both of them.
 * What each client does first is not counted: it fills caches and plans.
 */
export async function measureRates(
  floor: Work,
  subject: Work,
  { clients, rounds, milliseconds }: Rounds,
): Promise<Rates> {
  const turn = (work: Work) => rateOf(work, clients, milliseconds);
  for (const work of [floor, subject]) {
    await repeat(work, clients, (done) => done < UNCOUNTED);
  }
  const floors: number[] = [];
  const subjects: number[] = [];
  for (let round = 0; round < rounds; round++) {
    // Who begins alternates: a machine that gets slower must not favour one of them.
    const order = round % 2 === 0 ? ["floor", "subject"] : ["subject", "floor"];
    for (const who of order) {
      if (who === "floor") floors.push(await turn(floor));
      else subjects.push(await turn(subject));
    }
  }
  const ratios = subjects.map((rate, round) => rate / (floors[round] ?? NaN));
  return { floor: median(floors), subject: median(subjects), ratio: median(ratios), ratios };
}

/** How often in a second the clients together get their work done. */
async function rateOf(work: Work, clients: number, milliseconds: number): Promise<number> {
  const begun = performance.now();
  const done = await repeat(work, clients, () => performance.now() < begun + milliseconds);
  return done / ((performance.now() - begun) / 1000);
}

/** Has each client work as long as it goes on, by how often that client is done; counts all of it. */
async function repeat(
  work: Work,
  clients: number,
  goesOn: (done: number) => boolean,
): Promise<number> {
  const counts = await Promise.all(Array.from({ length: clients }, async (_, client) => {
    let done = 0;
    for (; goesOn(done); done++) await work(client);
    return done;
  }));
  return counts.reduce((sum, done) => sum + done, 0);
}

/** The middle of some numbers; of an even number of them the mean of the two in the middle. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}
