import assert from "node:assert/strict";
import type postgres from "postgres";
import type { Stripe } from "stripe";
import { approveMember, type Member } from "./commands.ts";
import { asRefusal, type Connections, type Refusal, withConnections } from "./connection.ts";
import { SIXTH_REFUSED } from "./join_requests.ts";
import {
  addRequests,
  makeOrganization,
  numbersOf,
  type Organization,
  type Person,
} from "./organizations.ts";
import { assertCounted } from "./recount.ts";
import { second, stripeSubscription } from "./stripe_events.ts";
import { makeBuyer, report } from "./stripe_reports.ts";
import { attempt, untilWaiting } from "./waiting.ts";

const SESSIONS = 64;

/** How approvals that began together ended. */
interface Rush {
  readonly approved: readonly Member[];
  readonly refused: readonly Refusal[];
}

/** Has each session approve a request; all are at the organization's lock before one may go on. */
async function rush(
  [holder, ...sessions]: Connections,
  organization: Organization,
  requests: readonly Pick<Person, "id">[],
): Promise<Rush> {
  const attempts = await holder.begin(async (sql) => {
    await sql`select from public.organizations where id = ${organization.id} for update`;
    const attempts = await Promise.all(
      sessions.map((session, index) =>
        attempt(session, (session) => approveMember(session, requests[index]?.id ?? ""))
      ),
    );
    await untilWaiting(sql, attempts);
    return attempts;
  });
  const outcomes = await Promise.all(attempts.map(({ outcome }) => outcome));
  return {
    approved: outcomes.flatMap((one) => one.status === "fulfilled" ? [one.value] : []),
    refused: outcomes.flatMap((one) => one.status === "rejected" ? [asRefusal(one.reason)] : []),
  };
}

Deno.test(`of ${SESSIONS} approvals at once exactly one gets the last seat`, () =>
  withConnections(SESSIONS + 1, async (connections) => {
    const [observer] = connections;
    const { organization, requests } = await observer.begin(async (sql) => {
      const organization = await makeOrganization(sql, { seats: 5, members: 3, invitations: 1 });
      return { organization, requests: await addRequests(sql, organization, SESSIONS) };
    });

    const { approved, refused } = await rush(connections, organization, requests);

    assert.deepEqual(approved.map(({ status }) => status), ["active"]);
    assert.equal(refused.length, SESSIONS - 1);
    for (const refusal of refused) assert.deepEqual(refusal, SIXTH_REFUSED);
    await assertCounted(observer, organization);
    assert.equal((await numbersOf(observer, organization)).used, 5);
  }));

Deno.test("ten seats go to ten of many, round after round", () =>
  withConnections(25, async (connections) => {
    const [observer] = connections;
    for (let round = 0; round < 4; round++) {
      const { organization, requests } = await observer.begin(async (sql) => {
        const organization = await makeOrganization(sql, { seats: 12, members: 2 });
        return { organization, requests: await addRequests(sql, organization, 24) };
      });

      const { approved, refused } = await rush(connections, organization, requests);

      assert.equal(approved.length, 10);
      assert.deepEqual([...new Set(refused.map(({ code }) => code))], ["seats_full"]);
      await assertCounted(observer, organization);
    }
  }));

Deno.test("the same request approved by many at once takes one seat", () =>
  withConnections(17, async (connections) => {
    const [observer] = connections;
    const { organization, requests } = await observer.begin(async (sql) => {
      const organization = await makeOrganization(sql, { seats: 5 });
      return { organization, requests: await addRequests(sql, organization, 1) };
    });
    const [request] = requests;
    assert(request !== undefined);

    const { approved } = await rush(connections, organization, Array(16).fill(request));

    assert.equal(approved.length, 16);
    assert.equal((await numbersOf(observer, organization)).used, 1);
  }));

Deno.test("buying more and less while members are approved never overbooks", () =>
  withConnections(33, async (connections) => {
    const [buying, ...sessions] = connections;
    const { organization, requests, subscription } = await buying.begin(async (sql) => {
      const organization = await makeBuyer(sql);
      const subscription = stripeSubscription(organization, second(0));
      await report(sql, subscription, { quantity: 2 }, 0);
      const requests = await addRequests(sql, organization, sessions.length * 2);
      return { organization, requests, subscription };
    });

    const refusals = await Promise.all([
      changeQuantities(buying, subscription),
      ...sessions.map((sql, index) => approveAll(sql, requests.slice(index * 2, index * 2 + 2))),
    ]);

    for (const { code } of refusals.flat()) assert.equal(code, "seats_full");
    await assertCounted(buying, organization);
    const approved = await approvalsByTheBook(buying, organization);
    assert.equal(approved, (await numbersOf(buying, organization)).members);
    assert(approved >= 2 && approved <= 12);
  }));

/** Raises and lowers the quantity, as from Stripe's dashboard, in whole seconds of their own. */
async function changeQuantities(
  sql: postgres.Sql,
  subscription: Stripe.Subscription,
): Promise<Refusal[]> {
  for (const [index, quantity] of [6, 3, 8, 4, 10, 5, 12, 7].entries()) {
    await report(sql, subscription, { quantity }, (index + 1) * 60);
  }
  return [];
}

async function approveAll(
  sql: postgres.Sql,
  requests: readonly Pick<Person, "id">[],
): Promise<Refusal[]> {
  const refusals: Refusal[] = [];
  for (const { id } of requests) {
    await approveMember(sql, id).catch((error) => refusals.push(asRefusal(error)));
  }
  return refusals;
}

/**
 * Reads the account book from the front, in which the lock has put everything into order, and fails
 * where a member was approved without a seat. Returns how many were approved.
 */
async function approvalsByTheBook(sql: postgres.Sql, { id }: Organization): Promise<number> {
  const entries = await sql<{ seats: number | null; approved: boolean }[]>`
    select (after ->> 'purchased_seats')::integer as seats,
      kind = 'member' and after ->> 'status' = 'active' as approved
    from public.billing_changes where organization_id = ${id} order by id`;
  let [limit, used] = [0, 0];
  for (const { seats, approved } of entries) {
    limit = seats ?? limit;
    if (!approved) continue;
    assert(used < limit, `Someone was approved at ${used} of ${limit}`);
    used++;
  }
  return used;
}

Deno.test("recounts, removals and approvals at once end in no deadlock", () =>
  withConnections(24, async (connections) => {
    const [observer] = connections;
    const { organization, requests } = await observer.begin(async (sql) => {
      const organization = await makeOrganization(sql, { seats: 10, members: 4, invitations: 4 });
      return { organization, requests: await addRequests(sql, organization, 24) };
    });
    const { id } = organization;

    const refusals = await Promise.all(connections.map(async (sql, index) => {
      const request = requests.slice(index, index + 1);
      if (index % 3 === 0) await sql`select public.sync_organization_counts(${id})`;
      if (index % 3 === 1) await sql`select public.set_organization_status(${id}, 'approved', 'x')`;
      const refused = await approveAll(sql, request);
      await sql`
        update public.organization_members set status = 'removed'
        where id = ${request[0]?.id ?? null} and status = 'active'`;
      return refused;
    }));

    for (const { code } of refusals.flat()) assert.equal(code, "seats_full");
    await assertCounted(observer, organization);
  }));
