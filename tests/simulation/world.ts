import assert from "node:assert/strict";
import { type Stack, startStack } from "../../local/stack.ts";
import { callFunction, functionsOf } from "../functions/api.ts";
import { type Clients, connect } from "../functions/clients.ts";
import {
  createOrganization,
  type Organization,
  settled,
  tokenOf,
} from "../functions/organizations.ts";

/** How long Clerk may take to be told a limit. */
const PATIENCE_MS = 20_000;

/** A stack that histories are played on, one after the other. */
export interface Theatre {
  readonly env: Stack["env"];
  readonly clients: Clients;
  readonly crash: Stack["crashFunction"];
  /** An organization that no history touches. */
  readonly bystander: Organization;
  /** How much has been played. */
  readonly played: { histories: number; steps: number };
  close(): Promise<void>;
}

/** Clerk's roles; that of an auditor takes no seat. */
export const ROLES = { member: "org:member", auditor: "org:auditor" } as const;

/** What `private.settings` has, and what it has once whatever is overdue has been so for long. */
const GRACE = "7 days";
const GRACE_OVER = "-1000 years 7 days";

/** Starts a stack of its own, as everything about it is disturbed and its processes are killed. */
export async function openTheatre(log: (line: string) => void): Promise<Theatre> {
  const stack = await startStack({ dataDir: null, ports: "free", log });
  const clients = connect(stack.env);
  await clients.sql`
    alter table private.settings drop constraint settings_grace_period_not_negative`;
  await clients.sql`
    update private.settings set seatless_roles = ${`{${ROLES.auditor}}`}::text::text[]`;
  return {
    env: stack.env,
    clients,
    crash: stack.crashFunction,
    bystander: await createOrganization(clients, "Bystander"),
    played: { histories: 0, steps: 0 },
    close: async () => {
      await clients.sql.end();
      await stack.stop();
    },
  };
}

/** One organization, and what a driver has to know of it besides the model. */
export interface World extends Pick<Theatre, "clients" | "crash"> {
  readonly theatre: Theatre;
  readonly organization: Organization;
  readonly owner: string;
  /** Clerk's user ids, by address. */
  readonly users: Map<string, string>;
  /** An address that nobody has. */
  newAddress(): string;
}

async function setGrace(sql: Clients["sql"], grace: string): Promise<void> {
  await sql`update private.settings set grace_period = ${grace}::text::interval`;
}

/** Founds an organization for a history. */
export async function openWorld(theatre: Theatre): Promise<World> {
  const { clients } = theatre;
  theatre.played.histories++;
  const history = crypto.randomUUID().slice(0, 8);
  const users = new Map<string, string>();
  const owner = `owner.${history}@example.com`;
  const { id: adminId } = await clients.clerk.createUser({ email: owner });
  const { organization: { id: clerkId } } = await clients.clerk.createOrganization({
    name: history,
    createdBy: adminId,
  });
  users.set(owner, adminId);
  await settled(clients, clerkId);
  const [row] = await clients.sql<{ id: string }[]>`
    select id from public.organizations where clerk_org_id = ${clerkId}`;
  assert(row !== undefined, "clerk-webhook has made no row of the organization");
  const token = await tokenOf(clients, adminId, clerkId);
  let count = 0;
  return {
    theatre,
    clients,
    crash: theatre.crash,
    organization: { id: row.id, clerkId, adminId, token },
    owner,
    users,
    newAddress: () => `p${++count}.${history}@example.com`,
  };
}

/** Ends the organization of a history at Clerk and Stripe, so that no later sweep compares it. */
export async function closeWorld({ clients, organization }: World): Promise<void> {
  const { clerk, stripe } = clients;
  await setGrace(clients.sql, GRACE);
  await clerk.client.organizations.deleteOrganization(organization.clerkId).catch(() => {});
  const { data: customers } = await stripe.customers.list({ limit: 100 });
  await Promise.all(customers.map(({ id }) => stripe.customers.del(id)));
  await deliveries(clients);
}

/** Waits until no webhook is on its way. */
export async function deliveries({ clerk, stripeControl }: Clients): Promise<void> {
  await Promise.all([clerk.control.settle(), stripeControl.settle()]);
}

/** Waits until Clerk has been told the limit, which happens after the webhooks. */
export async function limitTold({ clients, organization }: World): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  // Nobody announces it; each question is a round trip, so this is no busy wait.
  for (;;) {
    const [row] = await clients.sql`
      select clerk_limit_pushed = clerk_limit or deleted_at is not null as told
      from public.organizations where id = ${organization.id}`;
    if (row?.["told"] === true) break;
    assert(Date.now() < deadline, "Clerk has not been told the limit");
  }
  await deliveries(clients);
}

/**
 * An hour goes by, for this organization: nobody is at work for it any more, and what was just
 * accepted was accepted long ago.
 */
export async function passTime({ clients, organization: { id } }: World): Promise<void> {
  await clients.sql.begin(async (sql) => {
    // Times of ours, that no trigger may touch.
    await sql`set local session_replication_role = replica`;
    for (const table of ["organization_members", "organization_invitations"]) {
      await sql`
        update public.${sql(table)}
        set held_until = held_until - interval '1 hour', updated_at = updated_at - interval '1 hour'
        where organization_id = ${id}`;
    }
    await sql`
      update public.seat_changes set updated_at = updated_at - interval '1 hour'
      where organization_id = ${id}`;
    await sql`
      update private.organization_syncs
      set leased_until = leased_until - interval '1 hour',
        limit_push_until = limit_push_until - interval '1 hour'
      where organization_id = ${id}`;
  });
}

/** Who is overdue has been so for longer than the grace lasts, now and for the rest of a history. */
export async function passGrace({ clients: { sql }, organization: { id } }: World): Promise<void> {
  await setGrace(sql, GRACE_OVER);
  await sql.begin(async (sql) => {
    await sql`set local session_replication_role = replica`;
    await sql`
      update public.organization_subscriptions set grace_until = grace_until - interval '1000 years'
      where organization_id = ${id}`;
  });
}

/** What a sweep answers. */
export interface Sweep {
  readonly organizations: number;
  readonly failed: number;
  readonly drift: Readonly<Record<string, number>>;
  /** Whether organizations are waiting that it has not come to. */
  readonly more: boolean;
}

/** One sweep over all organizations; resolves to null when nobody knows how it went. */
export async function sweep({ clients }: Pick<World, "clients">): Promise<Sweep | null> {
  const { status, body } = await callFunction<{ data: Sweep }>(
    functionsOf(clients),
    "sync-seats",
    { headers: { apikey: clients.env.SUPABASE_SECRET_KEY }, body: { sweep: true } },
  );
  return status === 200 ? body.data : null;
}
