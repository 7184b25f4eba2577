import { functionEnvironment } from "../../local/stack_env.ts";
import { connect } from "../../tests/functions/clients.ts";
import { createOrganization } from "../../tests/functions/organizations.ts";
import type { Line, Result } from "../line.ts";
import { sendLoad } from "../load.ts";
import { requestsTo } from "../requests.ts";
import { memoryOf, serve } from "../served/process.ts";

/** The memory that each function's process holds after many requests, all of it: Deno too. */
export const memory: Line = {
  name: "memory",
  measure: async (bench) => {
    const clients = connect(bench.env);
    try {
      const requests = await requestsTo(clients, await createOrganization(clients));
      const results: Result[] = [];
      for (const [name, { path, ...request }] of Object.entries(requests)) {
        const process = await serve(
          `supabase/functions/${name}/index.ts`,
          functionEnvironment(bench.env),
        );
        try {
          const { resident: before } = await memoryOf(process.pid);
          const amount = bench.quick ? 50 : 500;
          // One after the other: a sync in progress refuses another one of the same organization.
          await sendLoad({ ...request, url: `${process.url}${path}`, connections: 1, amount });
          const { resident, ofFiles } = await memoryOf(process.pid);
          results.push({
            what: `${name}, memory after ${amount} requests`,
            floor: ofFiles === null ? "-" : `${ofFiles.toFixed(0)} MB are of Deno's files`,
            value: resident,
            target: { sense: "at most", value: 100, unit: "MB" },
            measured: { before, ...(ofFiles === null ? {} : { ofFiles }) },
          });
        } finally {
          await process.stop();
        }
      }
      return results;
    } finally {
      await clients.sql.end();
    }
  },
};
