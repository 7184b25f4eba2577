import assert from "node:assert/strict";
import { IS_LONG } from "../races/rounds.ts";
import type { Answer } from "./api.ts";
import type { Clients } from "./clients.ts";
import { type Judge, withProxy } from "./manage-seats/proxy.ts";
import { withFunction } from "./served_function.ts";

/** Where a process is killed: before a request of its is worked on, or after. */
export interface Point {
  /**
   * The request, by its method, the last part of its path and, from the second one on, a number; or
   * the place that it has among all.
   */
  readonly request: string | number;
  readonly verdict: "hold" | "hold_answer";
}

/** What a function does. */
export interface Run {
  readonly name: string;
  call(base: string): Promise<Answer>;
  /** Waits for what it does after its answer. */
  finished?(): Promise<unknown>;
}

/** How many processes are started, and killed, at the same time. */
const AT_ONCE = 3;

/** How long the request may take to come at which a process is to be killed. */
const PATIENCE_MS = 30_000;

/** A provider's id in a path, which differs from run to run. */
const ID = /^([a-z]+)_(?:test_)?[A-Za-z0-9]{14,}$/;

/**
 * Runs a function in a process of its own, behind proxies that see each request it sends, to the Data
 * API and to the providers. The process is killed at a point, if one is given; otherwise it succeeds.
 *
 * @returns the requests that it has sent, in order.
 */
export async function watch(clients: Clients, run: Run, point?: Point): Promise<readonly string[]> {
  const { SUPABASE_URL, STRIPE_API_BASE, CLERK_API_URL } = clients.env;
  const requests: string[] = [];
  const judge: Judge = (name, method) => {
    const kind = `${method} ${name.replace(ID, "$1")}`;
    const times = requests.filter((one) => kindOf(one) === kind).length + 1;
    const request = times === 1 ? kind : `${kind} ${times}`;
    const isIt = point !== undefined && [request, requests.length].includes(point.request);
    requests.push(request);
    return isIt ? point.verdict : "pass";
  };
  const serve = (urls: Record<string, string>, holding: Promise<void>[]) =>
    withFunction(clients, run.name, urls, async ({ base, kill }) => {
      if (point === undefined) {
        const { status, body } = await run.call(base);
        assert(status < 300, JSON.stringify(body));
        await run.finished?.();
      } else {
        // It may have answered before it is killed.
        const answered = run.call(base).catch(() => {});
        await inTime(Promise.race(holding));
        await kill();
        await answered;
      }
    });
  await withProxy(
    SUPABASE_URL,
    judge,
    (database) =>
      withProxy(
        STRIPE_API_BASE,
        judge,
        (stripe) =>
          withProxy(CLERK_API_URL, judge, (clerk) =>
            serve(
              { SUPABASE_URL: database.url, STRIPE_API_BASE: stripe.url, CLERK_API_URL: clerk.url },
              [database.holding, stripe.holding, clerk.holding],
            )),
      ),
  );
  return requests;
}

function kindOf(request: string): string {
  return request.replace(/ \d+$/, "");
}

async function inTime(holding: Promise<void>): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error("The request did not come")), PATIENCE_MS);
  await Promise.race([holding, promise]).finally(() => clearTimeout(timer));
}

/**
 * The points at which a process can be killed that sends these requests: before and after each, where
 * somebody has the time (RACE_ROUNDS). Otherwise before the first and after each one, since after one
 * is as good as before the next.
 */
export function pointsOf(requests: readonly string[]): Point[] {
  const before = IS_LONG ? requests : requests.slice(0, 1);
  return [
    ...before.map((request): Point => ({ request, verdict: "hold" })),
    ...requests.map((request): Point => ({ request, verdict: "hold_answer" })),
  ];
}

/** All those points where somebody has the time, otherwise one after each kind of request. */
export function somePointsOf(requests: readonly string[]): Point[] {
  if (IS_LONG) return pointsOf(requests);
  return [...new Set(requests.map(kindOf))].map((request) => ({ request, verdict: "hold_answer" }));
}

/** Runs at each point, several at a time; what goes wrong names its point. */
export async function atEach(
  points: readonly Point[],
  run: (point: Point) => Promise<void>,
  atOnce = AT_ONCE,
): Promise<void> {
  const left = [...points];
  const work = async () => {
    for (let point = left.shift(); point !== undefined; point = left.shift()) {
      const { request, verdict } = point;
      await run(point).catch((cause: unknown) => {
        throw new Error(`${verdict} at ${request}`, { cause });
      });
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
}
