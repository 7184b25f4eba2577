import type { Stripe } from "stripe";
import type { Account } from "../account.ts";
import { invalidRequest } from "../api/errors.ts";
import { idOf } from "../invoices/lifecycle.ts";
import { periodFrom } from "../subscriptions/periods.ts";
import { nextDue } from "./due.ts";
import { customersOn } from "./frame.ts";

type TestClock = Stripe.TestHelpers.TestClock;

const LONGEST_SECONDS = 2 * 365 * 24 * 60 * 60;

/** Begins to move a clock. Throws for a time that lies behind it or too far ahead. */
export function startAdvance(account: Account, clock: TestClock, target: number): TestClock {
  if (clock.status !== "ready") {
    throw invalidRequest("Test clock advancement underway - cannot perform modifications.", {
      status: 429,
    });
  }
  if (target <= clock.frozen_time) {
    throw invalidRequest("The frozen time must be after the test clock's current frozen time.", {
      param: "frozen_time",
    });
  }
  if (target > farthest(account, clock)) {
    throw invalidRequest(
      "Cannot advance a test clock by more than two intervals of its shortest subscription, or " +
        "two years without any.",
      { param: "frozen_time" },
    );
  }
  const advancing = put(account, {
    ...clock,
    status: "advancing",
    status_details: { advancing: { target_frozen_time: target } },
  });
  account.emit("test_helpers.test_clock.advancing", advancing);
  return advancing;
}

/** Moves the clocks that are on their way to where they go; says whether there were any. */
export function finishAdvances(account: Account): boolean {
  const advancing = Object.values(account.state.testClocks)
    .filter(({ status }) => status === "advancing");
  for (const clock of advancing) finishAdvance(account, clock);
  return advancing.length > 0;
}

/** Lets everything happen in its order, each thing at its own time, and then has the clock ready. */
function finishAdvance(account: Account, clock: TestClock): void {
  const target = clock.status_details.advancing?.target_frozen_time ?? clock.frozen_time;
  const customers = customersOn(account, clock.id);
  let reached = clock.frozen_time;
  let status: TestClock["status"] = "ready";
  try {
    for (;;) {
      const due = nextDue(account, customers, reached, target);
      if (due === undefined) break;
      reached = due.at;
      due.run(account.at({ now: () => due.at }));
    }
  } catch (error) {
    console.error(`The test clock ${clock.id} failed at ${reached}:`, error);
    status = "internal_failure";
  }
  const moved = put(account, { ...clock, frozen_time: target, status, status_details: {} });
  const type = status === "ready" ? "ready" : "internal_failure";
  account.at({ now: () => target }).emit(`test_helpers.test_clock.${type}`, moved);
}

function farthest(account: Account, clock: TestClock): number {
  const { frozen_time: now } = clock;
  const customers = new Set(customersOn(account, clock.id).map(({ id }) => id));
  const ends = account.state.subscriptions.values()
    .filter(({ customer, ended_at: end }) => end === null && customers.has(idOf(customer)))
    .flatMap(({ items }) => items.data)
    .map(({ plan }) => periodFrom(periodFrom(now, now, plan).end, now, plan).end)
    .toArray();
  return ends.length === 0 ? now + LONGEST_SECONDS : Math.min(...ends);
}

function put(account: Account, clock: TestClock): TestClock {
  account.state.testClocks[clock.id] = clock;
  return clock;
}
