import assert from "node:assert/strict";
import fc from "fast-check";
import {
  asRefusal,
  only,
  rolledBack,
  type Transaction,
  withConnections,
  withTransaction,
} from "./connection.ts";
import { addInvitations, addMembers, makeOrganization, numbersOf } from "./organizations.ts";
import { assertCounted } from "./recount.ts";
import { type Statement, statements } from "./statements.ts";

const BULK = 500;

/** How often the rows of organizations are updated by what a statement does. */
async function organizationUpdates(
  sql: Transaction,
  run: () => Promise<unknown>,
): Promise<number> {
  const count = async () =>
    only(
      await sql<{ count: number }[]>`
        select pg_stat_get_xact_tuples_updated('public.organizations'::regclass)::integer as count`,
    ).count;
  const before = await count();
  await run();
  return await count() - before;
}

Deno.test(`a statement of ${BULK} rows updates the organization once for each count`, () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 20 });
    const { id } = organization;
    const updates = (run: () => Promise<unknown>) => organizationUpdates(sql, run);

    assert.equal(await updates(() => addMembers(sql, organization, BULK)), 1);
    assert.equal(await updates(() => addInvitations(sql, organization, BULK)), 1);
    assert.equal((await numbersOf(sql, organization)).used, 2 * BULK);

    // Everyone who is invited becomes a member: one update for the members that
    // came, one for the invitations that gave their seats up.
    const joining = () =>
      sql`
        insert into public.organization_members (organization_id, clerk_user_id, email, status)
        select organization_id, 'user_' || id, email, 'active'
        from public.organization_invitations where organization_id = ${id}`;
    assert.equal(await updates(joining), 2);
    assert.equal((await numbersOf(sql, organization)).used, 2 * BULK);

    const leaving = () =>
      sql`
        update public.organization_members set status = 'removed' where organization_id = ${id}`;
    assert.equal(await updates(leaving), 2);
    assert.deepEqual(await numbersOf(sql, organization), {
      seatLimit: 20,
      members: 0,
      invitations: BULK,
      used: BULK,
      overCapacity: true,
    });

    const revoking = () =>
      sql`delete from public.organization_invitations where organization_id = ${id}`;
    assert.equal(await updates(revoking), 1);
    assert.equal((await numbersOf(sql, organization)).used, 0);
  }));

Deno.test("what does not change who has a seat does not update the organization", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 5, members: 3, invitations: 1 });

    const renaming = () =>
      sql`
        update public.organization_members set role = 'org:admin'
        where organization_id = ${organization.id}`;

    assert.equal(await organizationUpdates(sql, renaming), 0);
  }));

Deno.test("after any statements the counts are what a fresh count gives", () =>
  withConnections(1, ([connection]) =>
    fc.assert(
      fc.asyncProperty(
        fc.array(statements, { minLength: 1, maxLength: 15 }),
        (list) =>
          rolledBack(connection, async (sql) => {
            const organizations = [await makeOrganization(sql), await makeOrganization(sql)];
            for (const statement of list) {
              await tryStatement(sql, statement, organizations.map(({ id }) => id));
              for (const organization of organizations) await assertCounted(sql, organization);
            }
          }),
      ),
      { numRuns: 60 },
    )));

/** A statement that breaks "one active row a person and organization" changes nothing. */
async function tryStatement(
  sql: Transaction,
  statement: Statement,
  organizations: readonly string[],
): Promise<void> {
  try {
    await sql.savepoint((sql) => statement.run(sql, organizations));
  } catch (error) {
    assert.equal(asRefusal(error).sqlstate, "23505");
  }
}

Deno.test("statements of sixteen connections at once leave the right counts", () =>
  withConnections(16, async (connections) => {
    const [observer] = connections;
    const organization = await observer.begin((sql) => makeOrganization(sql, { seats: 20 }));
    const { id } = organization;

    await Promise.all(connections.map(async (sql) => {
      const [first, second] = await addMembers(sql, organization, 2);
      const [invited] = await addInvitations(sql, organization, 2);
      assert(first !== undefined && second !== undefined && invited !== undefined);
      await sql`update public.organization_members set status = 'removed' where id = ${first.id}`;
      await sql`delete from public.organization_members where id = ${second.id}`;
      await sql`
        insert into public.organization_members (organization_id, clerk_user_id, email, status)
        values (${id}, ${invited.userId}, ${invited.email}, 'active')`;
      await sql`
        update public.organization_invitations set status = 'joined' where id = ${invited.id}`;
    }));

    await assertCounted(observer, organization);
    const { members, invitations } = await numbersOf(observer, organization);
    assert.deepEqual([members, invitations], [16, 16]);
  }));
