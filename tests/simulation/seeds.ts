import { change, edit, renew, undo } from "./billing_deeds.ts";
import { type Frame } from "./histories.ts";
import { giveUp, pay } from "./paying_deeds.ts";
import { type Deed, Step } from "./step.ts";
import { sweeping } from "./system_deeds.ts";
import type { Terms } from "./terms.ts";
import type { Weather } from "./weather.ts";

/** A history that went wrong once. */
export interface Kept {
  /** What was wrong. */
  readonly was: string;
  readonly frame: Frame;
  readonly steps: readonly Step[];
}

const UNHEARD: Weather = { kind: "lose", provider: "stripe", type: undefined };

/**
 * Histories that went wrong once; every run of the tests plays them again. They are kept as a failure
 * tells them, step by step: a seed names its history only until a deed or a weight changes.
 */
export const KEPT: readonly Kept[] = [
  {
    was: "seats given up at Stripe, unheard of, were kept by giving up the same ones",
    frame: { bought: pro(2), by: "card", grace: "lasts", ending: "it comes" },
    steps: [unheard(edit([1])), calm(change(pro(1))), calm(sweeping())],
  },
  {
    was: "a decrease right after a renewal, unheard of, took seats that it had paid for",
    frame: { bought: pro(5), by: "card", grace: "lasts", ending: "it is lost" },
    steps: [unheard(renew()), calm(change(pro(3))), calm(sweeping())],
  },
  {
    was: "a decrease that was in force was taken back for nothing after an unheard renewal",
    frame: { bought: pro(5), by: "card", grace: "lasts", ending: "it is lost" },
    steps: [calm(change(pro(4))), unheard(renew()), calm(undo()), calm(sweeping())],
  },
  {
    was: "a scheduled decrease came into force at once where an unpaid period was paid after all",
    frame: { bought: pro(5), by: "card", grace: "lasts", ending: "it comes" },
    steps: [
      calm(renew("declined")),
      calm(change(pro(3))),
      calm(giveUp("unpaid")),
      calm(pay("at once")),
    ],
  },
];

function pro(seats: number): Terms {
  return { plan: "pro", billingPeriod: "monthly", seats };
}

function calm(deed: Deed): Step {
  return new Step(deed, { kind: "calm" });
}

function unheard(deed: Deed): Step {
  return new Step(deed, UNHEARD);
}
