import assert from "node:assert/strict";
import type postgres from "postgres";
import { claimSeats, lapseHolds, people } from "../database/claims.ts";
import { applyClerkEvent } from "../database/clerk_deliveries.ts";
import {
  clerkMembership,
  clerkOrganization,
  membershipEvent,
  minute,
} from "../database/clerk_events.ts";
import { asRefusal, only } from "../database/connection.ts";
import { makeOrganization, numbersOf, type Organization } from "../database/organizations.ts";
import {
  applySubscriptionEvent,
  second,
  type StripeSubscription,
  subscribe,
  subscriptionEvent,
} from "../database/paid_subscriptions.ts";
import { randomId } from "../database/random_id.ts";
import { assertCounted } from "../database/recount.ts";
import { sync } from "../database/sync_leases.ts";
import { assertInvariants } from "../simulation/invariants.ts";
import { type CrashingDatabase, withCrashingDatabase } from "./crashing_database.ts";
import { LastingClient } from "./lasting_client.ts";
import { ROUNDS } from "./rounds.ts";

const CLIENTS = 64;

/** How many of each there are to one crash. */
const TEAMS = 3;
const SUBSCRIBERS = 8;

const SEATS = 20;
const INVITED = 30;
const CHANGES = 8;
const MEMBERS = 25;

/** Each takes a while: half of the rounds. */
const CRASHES = Math.ceil(ROUNDS / 2);

/** The answers to one crash, and to so many times that some connections end by themselves. */
const ANSWERS = TEAMS * (INVITED + MEMBERS) + SUBSCRIBERS * CHANGES;
const TERMINATIONS = 5;
const TERMINATED = 12;

/** Something that somebody asks until it is answered, or several such things in order. */
type Job = (client: LastingClient, answered: () => Promise<unknown>) => Promise<void>;

/** Something that is done by jobs, and what must be there once all of them were answered. */
interface Work {
  readonly jobs: readonly Job[];
  assertDone(sql: postgres.Sql): Promise<void>;
}

/** More people are invited than there are seats. */
async function invitations(sql: postgres.Sql): Promise<Work> {
  const team = await makeOrganization(sql, { seats: SEATS, queued: true });
  const holding: string[] = [];
  const jobs = people(INVITED).map((person): Job => async (client, answered) => {
    const outcome = await client.ask((sql) =>
      claimSeats(sql, team, [person]).then((claimed) => only(claimed).outcome, refusal)
    );
    if (outcome !== "seats_full") holding.push(person.email);
    await answered();
  });
  return {
    jobs,
    async assertDone(sql) {
      const rows = await sql<{ email: string }[]>`
        select email from public.organization_invitations
        where organization_id = ${team.id} and status = 'reserved'`;
      assert.deepEqual(rows.map(({ email }) => email).sort(), holding.sort());
      assert.equal((await numbersOf(sql, team)).used, SEATS);
      await assertSound(sql, team);

      // Nobody has asked Clerk for them, and nothing is held for ever.
      await lapseHolds(sql, team);
      await sync(sql, team, { memberships: [], invitations: [] });
      const claimed = await claimSeats(sql, team, people(SEATS, "later"));
      assert(claimed.every(({ outcome }) => outcome === "reserved"));
    },
  };
}

/** The code of a refusal, which is an answer; anything else that is thrown is none. */
function refusal(error: unknown): string {
  const { sqlstate, code } = asRefusal(error);
  if (!sqlstate.startsWith("PT")) throw error;
  return code;
}

/** A subscription is changed several times. */
async function payments(sql: postgres.Sql): Promise<Work> {
  const organization = await makeOrganization(sql, { queued: true });
  const subscription = await subscribe(sql, organization, { quantity: 5 });
  const events = Array.from(
    { length: CHANGES },
    (_, n) => subscriptionEvent(changed(subscription, n), second(n)),
  );
  const bookings = async (sql: postgres.Sql) => {
    const rows = await sql`
      select from public.billing_changes
      where organization_id = ${organization.id} and kind = 'subscription'`;
    return rows.length;
  };
  const before = await bookings(sql);
  return {
    jobs: [async (client, answered) => {
      for (const event of events) {
        const { outcome } = await client.ask((sql) => applySubscriptionEvent(sql, event));
        assert(outcome === "applied" || outcome === "duplicate", outcome);
        await answered();
      }
    }],
    async assertDone(sql) {
      assert.equal(await bookings(sql), before + CHANGES);
      assert.equal((await numbersOf(sql, organization)).seatLimit, 5 + CHANGES);
      await assertKnown(sql, events.map(({ id }) => id));
      await assertSound(sql, organization);
    },
  };
}

function changed(subscription: StripeSubscription, n: number): StripeSubscription {
  return { ...subscription, quantity: 6 + n };
}

/** People join in Clerk. */
async function memberships(sql: postgres.Sql): Promise<Work> {
  const organization = await makeOrganization(sql, { queued: true });
  const atClerk = clerkOrganization(organization.clerkOrgId);
  const events = Array.from({ length: MEMBERS }, (_, n) => ({
    id: randomId("msg"),
    event: membershipEvent("created", clerkMembership(atClerk, `m${n}`, minute(n))),
  }));
  return {
    jobs: events.map(({ id, event }): Job => async (client, answered) => {
      const { outcome } = await client.ask((sql) => applyClerkEvent(sql, event, id));
      assert(outcome === "applied" || outcome === "duplicate", outcome);
      await answered();
    }),
    async assertDone(sql) {
      assert.equal((await numbersOf(sql, organization)).members, MEMBERS);
      await assertKnown(sql, events.map(({ id }) => id));
      await assertSound(sql, organization);
    },
  };
}

async function assertKnown(sql: postgres.Sql, ids: readonly string[]): Promise<void> {
  const rows = await sql<{ id: string }[]>`
    select event_id as id from private.webhook_events where event_id in ${sql(ids)}`;
  assert.deepEqual(rows.map(({ id }) => id).sort(), ids.toSorted());
}

async function assertSound(sql: postgres.Sql, organization: Organization): Promise<void> {
  await assertCounted(sql, organization);
  await assertInvariants(sql, organization);
}

/** Ends some connections, whatever they are at. */
function terminateSome(client: LastingClient): Promise<unknown> {
  return client.ask((sql) =>
    sql`
      select pg_catalog.pg_terminate_backend(pid) from (
        select pid from pg_catalog.pg_stat_activity
        where backend_type = 'client backend' and pid <> pg_catalog.pg_backend_pid()
        order by random() limit ${TERMINATED}
      ) as victims`
  );
}

/** Has the clients work off all jobs; after some answers one of them has something end or crash. */
async function workOff(
  database: CrashingDatabase,
  clients: readonly LastingClient[],
  jobs: Job[],
): Promise<void> {
  let answers = 0;
  const work = async (client: LastingClient) => {
    const answered = async () => {
      answers++;
      if (answers % ANSWERS === Math.floor(ANSWERS / 2)) await database.crash();
      else if (answers % Math.floor(ANSWERS / TERMINATIONS) === 0) await terminateSome(client);
    };
    for (let job = jobs.pop(); job !== undefined; job = jobs.pop()) await job(client, answered);
  };
  await Promise.all(clients.map(work));
}

Deno.test(`what ${CLIENTS} clients were answered is there after ${CRASHES} crashes of Postgres, and nothing else`, () =>
  withCrashingDatabase(async (database) => {
    const operator = new LastingClient(database);
    const clients = Array.from({ length: CLIENTS }, () => new LastingClient(database));
    const works = await operator.ask(async (sql) => {
      const works: Work[] = [];
      for (let crash = 0; crash < CRASHES; crash++) {
        for (let n = 0; n < TEAMS; n++) works.push(await invitations(sql), await memberships(sql));
        for (let n = 0; n < SUBSCRIBERS; n++) works.push(await payments(sql));
      }
      return works;
    });
    try {
      await workOff(database, clients, works.flatMap(({ jobs }) => jobs));
      for (const work of works) await operator.ask((sql) => work.assertDone(sql));
      assert(clients.every(({ outages }) => outages > 0), "Somebody was not disturbed");
    } finally {
      await Promise.all([operator, ...clients].map((client) => client.close()));
    }
  }));
