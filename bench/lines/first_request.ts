import { functionEnvironment } from "../../local/stack_env.ts";
import { connect } from "../../tests/functions/clients.ts";
import { createOrganization } from "../../tests/functions/organizations.ts";
import type { Bench } from "../bench.ts";
import type { Line } from "../line.ts";
import { type Requests, requestsTo } from "../requests.ts";
import { median } from "../rounds.ts";
import { serve } from "../served/process.ts";

const HELLO = "bench/served/hello.ts";

/**
 * From the start of a process to the end of its first answer, for each function and for one that says
 * hello. The functions do their work: they ask the database, and those that have to, Stripe and Clerk.
 */
export const firstRequest: Line = {
  name: "first_request",
  measure: async (bench) => {
    const clients = connect(bench.env);
    try {
      const requests = await requestsTo(clients, await createOrganization(clients));
      const names = Object.keys(requests);
      const rounds: Readonly<Record<string, number>>[] = [];
      // The first round is not counted: it reads the files from the disk.
      for (let round = 0; round <= (bench.quick ? 3 : 9); round++) {
        const times = await timesOf(bench, requests);
        if (round > 0) rounds.push(times);
      }
      const hello = rounds.map((times) => times["hello"] ?? NaN);
      return names.map((name) => {
        const own = rounds.map((times) => times[name] ?? NaN);
        return {
          what: `${name}, first request`,
          floor: "a withSupabase hello",
          value: median(own.map((time, round) => time / (hello[round] ?? NaN))),
          target: { sense: "at most", value: 2, unit: "x" } as const,
          measured: { milliseconds: median(own), floorMilliseconds: median(hello) },
        };
      });
    } finally {
      await clients.sql.end();
    }
  },
};

async function timesOf({ env }: Bench, requests: Requests): Promise<Record<string, number>> {
  const environment = functionEnvironment(env);
  const times: Record<string, number> = {
    hello: await timeOf(HELLO, environment, { path: "/", method: "GET", headers: {} }),
  };
  for (const [name, request] of Object.entries(requests)) {
    times[name] = await timeOf(`supabase/functions/${name}/index.ts`, environment, request);
  }
  return times;
}

async function timeOf(
  entrypoint: string,
  environment: Readonly<Record<string, string>>,
  { path, method, headers, body }: Requests[string],
): Promise<number> {
  const begun = performance.now();
  const process = await serve(entrypoint, environment);
  try {
    const answer = await fetch(`${process.url}${path}`, { method, headers, body: body ?? null });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${entrypoint} answered ${answer.status}: ${text}`);
    return performance.now() - begun;
  } finally {
    await process.stop();
  }
}
