/** Tells an emulated account what time it is. */
export interface Clock {
  /** Whole seconds since 1970, as Stripe writes every time. */
  now(): number;
}

/** The machine's own time. */
export const systemClock: Clock = { now: () => Math.floor(Date.now() / 1000) };
