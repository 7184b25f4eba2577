import assert from "node:assert/strict";
import type postgres from "postgres";
import { asRefusal, type Sql, withConnections } from "./connection.ts";
import { addMembers, makeOrganization, numbersOf, type Organization } from "./organizations.ts";
import { randomId } from "./random_id.ts";
import { assertCounted } from "./recount.ts";
import { attempt, untilWaiting } from "./waiting.ts";

/*
 * Whoever changes seats holds the organization's row first, by whatever way he comes: by a function
 * or with a statement of his own. Two who come at once neither miscount nor end in a deadlock.
 */

/** Starts the second while the first is in its transaction; says how the second ended. */
function meanwhile(
  [observer, one, other]: postgres.Sql[],
  first: (sql: Sql) => Promise<unknown>,
  second: (sql: Sql) => Promise<unknown>,
  afterwards: (sql: Sql) => Promise<unknown> = () => Promise.resolve(),
): Promise<PromiseSettledResult<unknown>> {
  assert(observer !== undefined && one !== undefined && other !== undefined);
  const waiting = one.begin(async (sql) => {
    await first(sql);
    const waiting = await attempt(other, second);
    await untilWaiting(observer, [waiting]);
    await afterwards(sql);
    return [waiting];
  });
  return waiting.then(async ([waiting]) => {
    assert(waiting !== undefined);
    return await waiting.outcome;
  });
}

function lock(sql: Sql, { id }: Organization) {
  return sql`select from public.organizations where id = ${id} for no key update`;
}

function insertMember(sql: Sql, { id }: Organization, userId: string) {
  return sql`
    insert into public.organization_members (organization_id, clerk_user_id, email, status)
    values (${id}, ${userId}, 'ann@example.com', 'active')`;
}

function insertInvitation(sql: Sql, { id }: Organization, clerkId: string) {
  return sql`
    insert into public.organization_invitations (organization_id, clerk_invitation_id, email, status)
    values (${id}, ${clerkId}, 'ann@example.com', 'pending')`;
}

for (
  const [what, insert] of [["member", insertMember], ["invitation", insertInvitation]] as const
) {
  Deno.test(`the same ${what} written by two at once is written once, without a deadlock`, () =>
    withConnections(3, async (connections) => {
      const [observer] = connections;
      const organization = await observer.begin((sql) => makeOrganization(sql, { seats: 5 }));
      const id = randomId("clerk");

      const outcome = await meanwhile(
        connections,
        (sql) => lock(sql, organization),
        (sql) => insert(sql, organization, id),
        (sql) => insert(sql, organization, id),
      );

      assert(outcome.status === "rejected");
      assert.equal(asRefusal(outcome.reason).sqlstate, "23505");
      assert.equal((await numbersOf(observer, organization)).used, 1);
    }));
}

Deno.test("a member and an invitation of one person, written at once, are one seat", () =>
  withConnections(3, async (connections) => {
    const [observer] = connections;
    const writers = [
      (sql: Sql, organization: Organization) => insertMember(sql, organization, "user_ann"),
      (sql: Sql, organization: Organization) =>
        insertInvitation(sql, organization, randomId("orginv")),
    ];
    for (const [first, second] of [writers, writers.toReversed()]) {
      assert(first !== undefined && second !== undefined);
      const organization = await observer.begin((sql) => makeOrganization(sql, { seats: 5 }));

      const outcome = await meanwhile(
        connections,
        (sql) => first(sql, organization),
        (sql) => second(sql, organization),
      );

      assert.equal(outcome.status, "fulfilled");
      assert.equal((await numbersOf(observer, organization)).used, 1);
      await assertCounted(observer, organization);
    }
  }));

Deno.test("two members deleted at once are both counted off", () =>
  withConnections(3, async (connections) => {
    const [observer] = connections;
    const { organization, members } = await observer.begin(async (sql) => {
      const organization = await makeOrganization(sql, { seats: 5 });
      return { organization, members: await addMembers(sql, organization, 3) };
    });
    const [one, other] = members;
    const remove = (sql: Sql, id: string | undefined) =>
      sql`delete from public.organization_members where id = ${id ?? null}`;

    await meanwhile(connections, (sql) => remove(sql, one?.id), (sql) => remove(sql, other?.id));

    assert.equal((await numbersOf(observer, organization)).members, 1);
    await assertCounted(observer, organization);
  }));
