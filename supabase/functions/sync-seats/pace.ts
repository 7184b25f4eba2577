import { ApiError } from "../_shared/errors.ts";

/** How much of what a provider allows a sweep uses: the rest is for the product's own calls. */
const SHARE = 0.5;

/** The longest that a provider's `Retry-After` is waited out, in seconds; more is the caller's to wait. */
const PATIENCE = 20;

/** How often a call is tried. */
const TRIES = 3;

/**
 * Spaces the calls to one provider evenly, whoever makes them: all requests of a process share one.
 * A call that comes late does not let the next ones catch up, so no burst ever exceeds the pace.
 */
export class Pace {
  readonly #gap: number;
  #next = 0;

  /** @param allowed the requests a second that the provider allows. */
  constructor(allowed: number) {
    this.#gap = 1000 / (allowed * SHARE);
  }

  /**
   * Calls the provider when it is this call's turn, and again after as long as its `Retry-After` says.
   *
   * @throws what the last try threw, with the provider's `Retry-After`.
   */
  async call<Answer>(call: () => Promise<Answer>): Promise<Answer> {
    for (let tries = 1;; tries++) {
      await this.turn();
      try {
        return await call();
      } catch (error) {
        const wait = error instanceof ApiError ? error.retryAfter : undefined;
        if (wait === undefined || wait > PATIENCE || tries === TRIES) throw error;
        await sleep(wait * 1000);
      }
    }
  }

  /** Waits until it is the caller's turn to make one call. */
  async turn(): Promise<void> {
    const now = performance.now();
    const turn = Math.max(now, this.#next);
    this.#next = turn + this.#gap;
    if (turn > now) await sleep(turn - now);
  }
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
