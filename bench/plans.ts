import { asSuperuser, type Bench } from "./bench.ts";
import type { FilledOrganization } from "./organizations.ts";
import { applyEvent, checkCapacity, claimSeat } from "./statements.ts";

/** How Postgres worked off the statements of one call, the inner ones first. */
export interface Plans {
  readonly call: string;
  readonly statements: readonly string[];
}

/** Calls before the one that is explained: the plans that are kept are made by then. */
const CALLS_BEFORE = 10;

/**
 * Explains what the hot calls run inside, as auto_explain reports it: each statement with the plan
 * that Postgres keeps for it, the time it took and the pages it read.
 */
export function explainHotCalls(
  bench: Bench,
  organization: FilledOrganization,
): Promise<readonly Plans[]> {
  const reported: string[] = [];
  const onnotice = ({ message = "" }) => {
    if (/^duration: /.test(message)) reported.push(message);
  };
  return asSuperuser(bench, onnotice, async (sql) => {
    const calls: Readonly<Record<string, () => Promise<unknown>>> = {
      claim_seats: () => claimSeat(sql, organization),
      apply_stripe_event: () => applyEvent(sql, organization, true),
      check_organization_capacity: () => checkCapacity(sql, organization),
    };
    await sql`load 'auto_explain'`;
    await sql`set auto_explain.log_nested_statements = on`;
    await sql`set auto_explain.log_analyze = on`;
    await sql`set auto_explain.log_buffers = on`;
    await sql`set client_min_messages = log`;
    const plans: Plans[] = [];
    for (const [call, run] of Object.entries(calls)) {
      await sql`set auto_explain.log_min_duration = -1`;
      for (let times = 0; times < CALLS_BEFORE; times++) await run();
      await sql`set auto_explain.log_min_duration = 0`;
      reported.length = 0;
      await run();
      plans.push({ call, statements: [...reported] });
    }
    return plans;
  });
}

/** What of the plans one wants to see at once: how each statement reached its rows. */
export function summarize({ call, statements }: Plans): string {
  const ways = new Map<string, number>();
  for (const [scan = ""] of statements.join("\n").matchAll(/\S[^()\n]*Scan[^()\n]*(?=\()/g)) {
    const way = scan.replace(/^->\s*/, "").trim().replace(/ \w+$/, "");
    if (/ on /.test(way) && !/unnest|jsonb|CTE|SELECT|Function/.test(way)) {
      ways.set(way, (ways.get(way) ?? 0) + 1);
    }
  }
  const list = [...ways].map(([way, times]) => `  ${times} x ${way}`);
  return [`${call}(): ${statements.length} statements`, ...list.sort()].join("\n");
}
