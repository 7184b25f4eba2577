import assert from "node:assert/strict";
import { type Answer, callFunction, functionsOf } from "../api.ts";
import type { Clients } from "../clients.ts";
import type { Organization } from "../organizations.ts";

/** One difference that was found and repaired. */
export interface Drift {
  readonly kind: string;
  readonly id: string | null;
  readonly was: string | null;
  readonly is: string | null;
}

/** What `sync-seats` answers about one organization. */
export interface Synced {
  readonly organizationId: string;
  readonly seatsUsed: number;
  readonly seatsTotal: number;
  readonly memberCount: number;
  readonly pendingInvitationsCount: number;
  readonly overCapacity: boolean;
  readonly drift: readonly Drift[];
}

/** The body of an answer of `sync-seats`. */
export interface Success<Data> {
  readonly success: true;
  readonly data: Data;
}

/** What a sweep answers. */
export interface Report {
  readonly organizations: number;
  readonly failed: number;
  readonly drift: Readonly<Record<string, number>>;
  readonly recoveredEvents: number;
  readonly more: boolean;
}

/** Calls for a sweep as the scheduler does, whatever comes of it. */
export function callSweep(
  clients: Clients,
  limit?: number,
  base: string = functionsOf(clients),
): Promise<Answer<Success<Report>>> {
  return callFunction(base, "sync-seats", {
    headers: { apikey: clients.env.SUPABASE_SECRET_KEY },
    body: { sweep: true, ...(limit === undefined ? {} : { limit }) },
  });
}

/** Sweeps. */
export async function sweepAll(
  clients: Clients,
  limit?: number,
  base?: string,
): Promise<Report> {
  const { status, body } = await callSweep(clients, limit, base);
  assert.equal(status, 200, JSON.stringify(body));
  assert.equal(body.success, true);
  return body.data;
}

/** Calls `sync-seats` as an organization's admin, whatever comes of it. */
export function callSync(
  clients: Clients,
  { id, token }: Pick<Organization, "id" | "token">,
  base: string = functionsOf(clients),
): Promise<Answer<Success<Synced>>> {
  return callFunction(base, "sync-seats", { token, body: { organizationId: id } });
}

/** Syncs an organization as its admin. */
export async function sync(clients: Clients, organization: Organization): Promise<Synced> {
  const { status, body } = await callSync(clients, organization);
  assert.equal(status, 200, JSON.stringify(body));
  assert.equal(body.success, true);
  return body.data;
}

/** Syncs an organization twice: returns what had drifted, and asserts that then nothing has. */
export async function syncUntilAgreed(
  clients: Clients,
  organization: Organization,
): Promise<readonly Drift[]> {
  const { drift } = await sync(clients, organization);
  assert.deepEqual((await sync(clients, organization)).drift, []);
  return drift;
}

/** How many differences there are of each kind. */
export function kindsOf(drift: readonly Drift[]): Record<string, number> {
  const kinds: Record<string, number> = {};
  for (const { kind } of drift) kinds[kind] = (kinds[kind] ?? 0) + 1;
  return kinds;
}

/** How long the push of a limit may take. */
const PATIENCE_MS = 20_000;

/** Waits until Clerk has been told an organization's limit, which happens after the webhooks. */
export async function limitPushed(
  { sql, clerk }: Clients,
  { id, clerkId }: Organization,
): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  // Nobody announces it; each question is a round trip, so this is no busy wait.
  while (Date.now() < deadline) {
    const [row] = await sql`
      select clerk_limit_pushed = clerk_limit as pushed from public.organizations where id = ${id}`;
    if (row?.["pushed"] === true) {
      await clerk.control.settle({ contains: clerkId });
      return;
    }
  }
  throw new Error(`The limit of ${clerkId} was not pushed`);
}
