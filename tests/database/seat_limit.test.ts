import assert from "node:assert/strict";
import fc from "fast-check";
import {
  only,
  refusalIn,
  refusalOf,
  rolledBack,
  type Sql,
  type Transaction,
  withConnections,
  withTransaction,
} from "./connection.ts";
import { makeOrganization, numbersOf, type Organization, setSeats } from "./organizations.ts";
import { randomId } from "./random_id.ts";
import { attempt, untilWaiting } from "./waiting.ts";

const DERIVED = ["seat_limit", "members_count", "pending_invitations_count"] as const;

async function seatLimit(sql: Sql, organization: Organization): Promise<number> {
  return (await numbersOf(sql, organization)).seatLimit;
}

Deno.test("seat_limit follows purchased_seats through insert, update and delete", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql);
    assert.equal(await seatLimit(sql, organization), 0);

    await setSeats(sql, organization, 5);
    assert.equal(await seatLimit(sql, organization), 5);

    for (const seats of [8, 2, 0, 7]) {
      await sql`
        update public.organization_subscriptions set purchased_seats = ${seats}
        where organization_id = ${organization.id}`;
      assert.equal(await seatLimit(sql, organization), seats);
    }

    await sql`
      delete from public.organization_subscriptions where organization_id = ${organization.id}`;
    assert.equal(await seatLimit(sql, organization), 0);
  }));

Deno.test("a plan change leaves seat_limit as it is", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 20 });

    await sql`
      update public.organization_subscriptions set plan = 'ultra', seat_billing_period = 'yearly'
      where organization_id = ${organization.id}`;

    const { plan } = only(
      await sql<{ plan: string }[]>`
        select subscription_plan as plan from public.organizations where id = ${organization.id}`,
    );
    assert.equal(plan, "ultra");
    assert.equal(await seatLimit(sql, organization), 20);
  }));

Deno.test("seat_limit = purchased_seats after any statements on subscriptions", () =>
  withTransaction(async (sql) => {
    const organizations = [await makeOrganization(sql), await makeOrganization(sql)];
    const ids = organizations.map(({ id }) => id);
    const seats = fc.integer({ min: 0, max: 100 });
    const which = fc.subarray(ids, { minLength: 1 });
    const statement = fc.oneof(
      fc.record({ do: fc.constant("upsert"), which, seats }),
      fc.record({ do: fc.constant("update"), which, seats }),
      fc.record({ do: fc.constant("replan"), which, seats }),
      fc.record({ do: fc.constant("delete"), which, seats }),
    );

    await fc.assert(
      fc.asyncProperty(fc.array(statement, { maxLength: 12 }), async (statements) => {
        for (const { do: kind, which, seats } of statements) {
          await changeSubscriptions(sql, kind, which, seats);
          const [wrong] = await sql`
            select o.id, o.seat_limit, s.purchased_seats
            from public.organizations as o
            left join public.organization_subscriptions as s on s.organization_id = o.id
            where o.id::text = any (string_to_array(${ids.join()}, ','))
              and o.seat_limit <> coalesce(s.purchased_seats, 0)`;
          assert.equal(wrong, undefined);
        }
      }),
      { numRuns: 30 },
    );
  }));

async function changeSubscriptions(
  sql: Sql,
  kind: string,
  which: readonly string[],
  seats: number,
): Promise<void> {
  const these = sql`organization_id::text = any (string_to_array(${which.join()}, ','))`;
  switch (kind) {
    case "upsert":
      await sql`
        insert into public.organization_subscriptions (organization_id, plan, purchased_seats)
        select id::uuid, 'pro', ${seats} from unnest(string_to_array(${which.join()}, ',')) as id
        on conflict (organization_id) do update set purchased_seats = excluded.purchased_seats`;
      break;
    case "update":
      await sql`
        update public.organization_subscriptions
        set purchased_seats = purchased_seats + ${seats} where ${these}`;
      break;
    case "replan":
      await sql`update public.organization_subscriptions set plan = 'max' where ${these}`;
      break;
    default:
      await sql`delete from public.organization_subscriptions where ${these}`;
  }
}

Deno.test("a subscription cannot move to another organization", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 5 });
    const other = await makeOrganization(sql);

    const { sqlstate, code } = await refusalIn(sql, (sql) =>
      sql`
      update public.organization_subscriptions set organization_id = ${other.id}
      where organization_id = ${organization.id}`);

    assert.deepEqual([sqlstate, code], ["PT409", "subscription_moved"]);
  }));

for (const role of ["postgres", "service_role"] as const) {
  Deno.test(`${role} cannot write a derived number directly`, () =>
    withTransaction(async (sql) => {
      const organization = await makeOrganization(sql, { seats: 5, members: 2, invitations: 1 });
      await become(sql, role);

      for (const column of DERIVED) {
        for (const value of ["0", `${column} + 1`, `${column} - 1`]) {
          const refusal = await refusalIn(sql, (sql) =>
            sql.unsafe(
              `update public.organizations set name = 'Mine', ${column} = ${value} where id = $1`,
              [organization.id],
            ));
          assert.deepEqual([refusal.sqlstate, refusal.code], ["PT403", "derived_column"]);
        }
        const refusal = await refusalIn(sql, (sql) =>
          sql.unsafe(
            `insert into public.organizations (clerk_org_id, ${column}) values ($1, 1)`,
            [randomId("org")],
          ));
        assert.deepEqual([refusal.sqlstate, refusal.code], ["PT403", "derived_column"]);
      }
      await sql`
        update public.organizations set name = 'Mine', seat_limit = seat_limit
        where id = ${organization.id}`;
    }));
}

/** Takes on a role, with the grants that it lacks, so that only the trigger stands in its way. */
async function become(sql: Transaction, role: "postgres" | "service_role"): Promise<void> {
  if (role === "postgres") return;
  await sql`grant select, insert, update on public.organizations to service_role`;
  await sql`grant usage on schema private to service_role`;
  await sql`grant execute on all functions in schema private to service_role`;
  await sql`grant select on all tables in schema private to service_role`;
  await sql`set local role service_role`;
}

Deno.test("a derived number cannot be written outside of a transaction either", () =>
  withConnections(1, async ([sql]) => {
    const organization = await sql.begin((sql) => makeOrganization(sql, { seats: 5, members: 1 }));

    for (const column of DERIVED) {
      const refusal = await refusalOf(
        sql.unsafe(
          `update public.organizations set ${column} = ${column} + 1 where id = $1`,
          [organization.id],
        ),
      );
      assert.deepEqual([refusal.sqlstate, refusal.code], ["PT403", "derived_column"]);
    }
    assert.deepEqual(await numbersOf(sql, organization), {
      seatLimit: 5,
      members: 1,
      invitations: 0,
      used: 1,
      overCapacity: false,
    });
  }));

Deno.test("an outdated seat_limit cannot be written while a purchase commits", () =>
  withConnections(3, async ([observer, buyer, writer]) => {
    assert(buyer !== undefined && writer !== undefined);
    const organization = await observer.begin((sql) => makeOrganization(sql, { seats: 5 }));

    const writing = await buyer.begin(async (sql) => {
      await setSeats(sql, organization, 3);
      const writing = await attempt(writer, (sql) =>
        refusalOf(sql`
          update public.organizations set seat_limit = 5 where id = ${organization.id}`));
      await untilWaiting(observer, [writing]);
      return [writing];
    });

    const [outcome] = await Promise.all(writing.map(({ outcome }) => outcome));
    assert(outcome?.status === "fulfilled");
    assert.equal(outcome.value.code, "derived_column");
    assert.equal(await seatLimit(observer, organization), 3);
  }));

Deno.test("tables that are counted cannot be truncated", () =>
  withConnections(1, async ([sql]) => {
    for (
      const table of [
        "organization_subscriptions",
        "organization_members",
        "organization_invitations",
      ]
    ) {
      const { code } = await rolledBack(
        sql,
        (sql) => refusalIn(sql, (sql) => sql.unsafe(`truncate public.${table}`)),
      );
      assert.equal(code, "truncate_refused");
    }
  }));
