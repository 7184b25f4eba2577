import assert from "node:assert/strict";
import type { EmulatorControl } from "../../local/emulation/control.ts";
import { type Stack, startStack } from "../../local/stack.ts";
import { assertCounted } from "../database/recount.ts";
import { assertRefused } from "../functions/api.ts";
import { type Clients, connect } from "../functions/clients.ts";
import {
  askToInvite,
  assertAgreement,
  createTeam,
  lapseHolds,
  newAddresses,
} from "../functions/manage-members/team.ts";
import { createSubscriber, seatsOf, type Subscriber } from "../functions/manage-seats/seats.ts";
import { createOrganization, type Organization } from "../functions/organizations.ts";
import { numbersOf } from "../functions/rows.ts";
import { lapseLease } from "../functions/sync-seats/drifted.ts";
import { callSweep, syncUntilAgreed } from "../functions/sync-seats/sync.ts";
import { assertInvariants } from "../simulation/invariants.ts";
import type { CrashingDatabase } from "./crashing_database.ts";
import { LastingClient } from "./lasting_client.ts";
import { ROUNDS } from "./rounds.ts";

const CALLERS = 12;

/** One of them is the owner's. */
const SEATS = 21;
const INVITED = 30;
const MEMBERS = 16;
const CHANGES = 6;
const SWEEPS = 4;

/** After so many deeds Postgres crashes, or all connections of the Data API are terminated. */
const DEEDS_BETWEEN = 10;

/** The database of a stack. */
function databaseOf({ env, crashDatabase }: Stack): CrashingDatabase {
  let recovering = Promise.resolve();
  return {
    url: env.DATABASE_URL,
    up: () => recovering,
    crash: () => recovering = recovering.then(crashDatabase),
  };
}

/** What came of it that so many people were invited while Postgres was away now and then. */
interface Answers {
  readonly invited: string[];
  /** How often it was answered that the database is away. */
  outages: number;
}

/** Invites a person, again as long as it is answered that the database is away. */
async function inviteAtLast(
  clients: Clients,
  team: Organization,
  email: string,
  answers: Answers,
): Promise<void> {
  for (;;) {
    const answer = await askToInvite(clients, team, [email]);
    if (answer.status === 503) {
      assertRefused(answer, 503, "database_unavailable");
      assert.match(answer.headers.get("retry-after") ?? "", /^\d+$/);
      answers.outages++;
      continue;
    }
    if (answer.status !== 200) assertRefused(answer, 409, "seats_full");
    else if (answer.body.invitations[0]?.outcome === "invited") answers.invited.push(email);
    return;
  }
}

/** Ends all connections of the Data API, whatever they are at. */
function terminateAll(operator: LastingClient): Promise<unknown> {
  return operator.ask((sql) =>
    sql`
      select pg_catalog.pg_terminate_backend(pid) from pg_catalog.pg_stat_activity
      where usename = 'authenticator'`
  );
}

type Deed = () => Promise<unknown>;

/** Several lists as one, in which each is spread over the whole. */
function mixed(lists: readonly (readonly Deed[])[]): Deed[] {
  return lists
    .flatMap((deeds) => deeds.map((deed, n) => ({ deed, at: n / deeds.length })))
    .sort((one, other) => one.at - other.at)
    .map(({ deed }) => deed);
}

/** Has all deeds done, several at a time; after some, one of the callers lets the database break. */
async function doAll(deeds: Deed[], disturb: (n: number) => Promise<unknown>): Promise<void> {
  let done = 0;
  const call = async () => {
    for (let deed = deeds.shift(); deed !== undefined; deed = deeds.shift()) {
      await deed();
      done++;
      if (done % DEEDS_BETWEEN === 0) await disturb(done / DEEDS_BETWEEN);
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, call));
}

/** Has a provider deliver what it has failed to deliver, and says how its webhooks were answered. */
async function delivered(control: EmulatorControl, contains: string): Promise<Set<number | null>> {
  do {
    // Its next try may be half a minute away; each question is a round trip, so this is no busy wait.
    await control.retry({ contains });
  } while ((await control.deliveries({ contains, status: "pending" })).length > 0);
  const deliveries = await control.deliveries({ contains });
  assert(deliveries.every(({ state }) => state === "delivered"), "A webhook was given up");
  return new Set(deliveries.flatMap(({ attempts }) => attempts.map(({ status }) => status)));
}

/** Sweeps once: what cannot be compared now is left to the next sweep. */
async function sweepOnce(clients: Clients): Promise<void> {
  const answer = await callSweep(clients);
  if (answer.status !== 200) assertRefused(answer, 503, "database_unavailable");
}

/** Asserts that in the end those are invited who were told so, and as many as there are seats. */
async function assertInvited(clients: Clients, team: Organization, answers: Answers) {
  await delivered(clients.clerk.control, team.clerkId);
  await lapseHolds(clients, team);
  await syncUntilAgreed(clients, team);
  const { invited } = await assertAgreement(clients, team);
  assert.deepEqual(answers.invited.filter((email) => !invited.includes(email)), []);

  // Whatever was held for somebody whom nobody then invited is free again.
  const free = SEATS - 1 - invited.length;
  await askToInvite(clients, team, newAddresses(free + 1), "?partial=true");
  await assertAgreement(clients, team);
  assert.equal((await numbersOf(clients.sql, team)).used, SEATS);
}

async function assertSound({ sql }: Clients, organization: Organization): Promise<void> {
  await assertCounted(sql, organization);
  await assertInvariants(sql, organization);
}

/** Changes a subscription as somebody in Stripe's dashboard does: one seat more each time. */
async function addSeat({ stripe }: Clients, subscriber: Subscriber): Promise<void> {
  const { items } = await stripe.subscriptions.retrieve(subscriber.subscriptionId);
  const [item] = items.data;
  assert(item?.quantity !== undefined);
  await stripe.subscriptions.update(subscriber.subscriptionId, {
    items: [{ id: item.id, quantity: item.quantity + 1 }],
  });
}

async function play(stack: Stack): Promise<void> {
  const clients = connect(stack.env);
  const { clerk, sql, stripeControl } = clients;
  const team = await createTeam(clients, SEATS);
  const joined = await createOrganization(clients);
  const subscriber = await createSubscriber(clients);
  const answers: Answers = { invited: [], outages: 0 };
  const database = databaseOf(stack);
  const operator = new LastingClient(database);

  const changes = Array.from({ length: CHANGES }, () => () => addSeat(clients, subscriber));
  await doAll(
    mixed([
      // One after the other: each sees what the last one has made.
      [async () => {
        for (const change of changes) await change();
      }],
      Array.from({ length: SWEEPS }, () => () => sweepOnce(clients)),
      Array.from({ length: MEMBERS }, () => () => clerk.addMember(joined.clerkId)),
      newAddresses(INVITED).map((email) => () => inviteAtLast(clients, team, email, answers)),
    ]),
    (n) => n % 2 === 1 ? database.crash() : terminateAll(operator),
  );
  await operator.close();

  const told = [
    await delivered(clerk.control, joined.clerkId),
    await delivered(stripeControl, subscriber.subscriptionId),
  ];
  // A sweep that has lost the database cannot give its leases back.
  for (const organization of [team, joined, subscriber]) await lapseLease(clients, organization);
  for (const statuses of told) {
    assert.deepEqual([...statuses].filter((status) => status !== 200 && status !== 503), []);
  }
  assert(answers.outages > 0 || told.some((statuses) => statuses.has(503)), "Nobody noticed");
  assert.equal((await numbersOf(sql, joined)).members, MEMBERS + 1);
  assert.deepEqual(await seatsOf(clients, subscriber), {
    plan: "pro",
    purchased: 5 + CHANGES,
    renewal: 5 + CHANGES,
  });
  await assertInvited(clients, team, answers);
  for (const organization of [team, joined, subscriber]) {
    await assertSound(clients, organization);
    assert.deepEqual(await syncUntilAgreed(clients, organization), []);
  }
  await sql.end();
}

Deno.test("Postgres crashes and connections break under load: clear answers, and nothing is lost", async () => {
  for (let round = 0; round < Math.ceil(ROUNDS / 10); round++) {
    const stack = await startStack({ dataDir: null, durable: true, ports: "free" });
    try {
      await play(stack);
    } finally {
      await stack.stop();
    }
  }
});
