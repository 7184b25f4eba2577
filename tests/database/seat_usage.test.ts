import assert from "node:assert/strict";
import fc from "fast-check";
import { refusalIn, rolledBack, type Sql, withConnections, withTransaction } from "./connection.ts";
import { makeOrganization, type Organization } from "./organizations.ts";

/** A day of the chart: its date, seats purchased, used, and the most used at once. */
type Day = readonly [date: string, purchased: number, used: number, peak: number];

async function usageOf(
  sql: Sql,
  { id, clerkOrgId }: Pick<Organization, "id" | "clerkOrgId">,
  from: string | null,
  to: string | null,
): Promise<Day[]> {
  const rows = await sql<{ day: string; purchased: number; used: number; peak: number }[]>`
    select day::text, purchased_seats as purchased, seats_used as used, peak_seats_used as peak
    from public.seat_usage(${id}, ${clerkOrgId}, ${from}, ${to})`;
  return rows.map(({ day, purchased, used, peak }) => [day, purchased, used, peak]);
}

/** Adds what the account book could have said at other times: its times are the clock's own. */
async function book(
  sql: Sql,
  { id }: Organization,
  ...balances: (readonly [at: string, purchased: number, used: number])[]
): Promise<void> {
  for (const [at, purchased, used] of balances) {
    await sql`
      insert into public.billing_changes (
        organization_id, kind, subject, actor, cause, purchased_seats, seats_used, created_at
      ) values (${id}, 'member', 'x', 'test', 'test', ${purchased}, ${used}, ${at})`;
  }
}

Deno.test("a day ends with its last booking, and days without any are like the one before", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql);
    await book(
      sql,
      organization,
      ["2024-02-28T09:00Z", 5, 3],
      ["2024-02-28T10:00Z", 5, 4],
      ["2024-03-01T10:00Z", 9, 8],
      ["2024-03-01T11:00Z", 9, 2],
    );
    assert.deepEqual(await usageOf(sql, organization, "2024-02-27", "2024-03-02"), [
      ["2024-02-27", 0, 0, 0],
      ["2024-02-28", 5, 4, 4],
      ["2024-02-29", 5, 4, 4],
      ["2024-03-01", 9, 2, 8],
      ["2024-03-02", 9, 2, 2],
    ]);
  }));

Deno.test("the first day begins with what was booked before it, however long ago", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql);
    await book(sql, organization, ["2020-01-01T10:00Z", 5, 3], ["2024-03-02T10:00Z", 5, 1]);
    assert.deepEqual(await usageOf(sql, organization, "2024-03-01", "2024-03-02"), [
      ["2024-03-01", 5, 3, 3],
      ["2024-03-02", 5, 1, 3],
    ]);
    assert.deepEqual(await usageOf(sql, organization, "2024-03-02", "2024-03-02"), [
      ["2024-03-02", 5, 1, 3],
    ]);
  }));

for (const zone of ["UTC", "Pacific/Kiritimati", "America/Adak"]) {
  Deno.test(`days are days in UTC, also for a session in ${zone}`, () =>
    withTransaction(async (sql) => {
      const organization = await makeOrganization(sql);
      await book(
        sql,
        organization,
        ["2024-03-30T23:59:59.999999Z", 5, 1],
        ["2024-03-31T00:00:00Z", 5, 2],
        ["2024-03-31T23:59:59.999999Z", 5, 3],
        ["2024-04-01T00:00:00Z", 5, 4],
      );
      await sql`select set_config('TimeZone', ${zone}, true)`;
      assert.deepEqual(await usageOf(sql, organization, "2024-03-30", "2024-04-01"), [
        ["2024-03-30", 5, 1, 1],
        ["2024-03-31", 5, 3, 3],
        ["2024-04-01", 5, 4, 4],
      ]);
    }));
}

Deno.test("the chart of what has just happened ends today, as the organization stands", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 9, members: 3, invitations: 2 });
    const day = (days: number) =>
      new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
    assert.deepEqual(await usageOf(sql, organization, day(-1), day(30)), [
      [day(-1), 0, 0, 0],
      [day(0), 9, 5, 5],
    ]);
    assert.deepEqual(await usageOf(sql, organization, day(1), day(2)), []);
  }));

Deno.test("a year can be asked for, and not a day more or less than one", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql);
    assert.equal((await usageOf(sql, organization, "2024-01-01", "2024-12-31")).length, 366);
    for (
      const [from, to] of [
        ["2024-01-01", "2025-01-01"],
        ["2024-01-02", "2024-01-01"],
        ["0001-01-01", "9999-12-31"],
        [null, "2024-01-01"],
        ["2024-01-01", null],
      ] as const
    ) {
      const { sqlstate, code, details } = await refusalIn(
        sql,
        (sql) => usageOf(sql, organization, from, to),
      );
      assert.deepEqual([sqlstate, code, details], ["PT400", "invalid_request", { from, to }]);
    }
  }));

Deno.test("usage is for a token of the organization, and not once that is deleted", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql);
    const other = await makeOrganization(sql);
    const ask = (of: Pick<Organization, "id" | "clerkOrgId">) =>
      refusalIn(sql, (sql) => usageOf(sql, of, "2024-01-01", "2024-01-01"));
    const refused = { sqlstate: "PT403", code: "not_organization_admin" };
    const { id } = organization;
    for (
      const of of [
        { id, clerkOrgId: other.clerkOrgId },
        { id: crypto.randomUUID(), clerkOrgId: other.clerkOrgId },
      ]
    ) {
      const { sqlstate, code } = await ask(of);
      assert.deepEqual({ sqlstate, code }, refused);
    }
    await sql`update public.organizations set deleted_at = now() where id = ${id}`;
    const { sqlstate, code } = await ask(organization);
    assert.deepEqual({ sqlstate, code }, refused);
  }));

const DAYS = ["2024-03-01", "2024-03-02", "2024-03-03", "2024-03-04", "2024-03-05"];

Deno.test("whatever is booked whenever, the chart is what a plain reading of the book gives", () =>
  withConnections(1, ([connection]) =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ minute: fc.nat(5 * 1440), purchased: fc.nat(9), used: fc.nat(9) }), {
          maxLength: 12,
        }),
        async (bookings) => {
          const inOrder = bookings.toSorted((one, other) => one.minute - other.minute)
            .map(({ minute, ...balance }) => ({
              at: new Date(Date.UTC(2024, 1, 29, 12, minute)).toISOString(),
              ...balance,
            }));
          let [purchased, used] = [0, 0];
          const expected = ["", ...DAYS].map((day): Day => {
            let peak = used;
            for (const one of inOrder) {
              const on = one.at.slice(0, 10);
              if (day === "" ? on >= "2024-03-01" : on !== day) continue;
              ({ purchased, used } = one);
              peak = Math.max(peak, used);
            }
            return [day, purchased, used, peak];
          }).slice(1);

          const shown = await rolledBack(connection, async (sql) => {
            const organization = await makeOrganization(sql);
            await book(
              sql,
              organization,
              ...inOrder.map(({ at, purchased, used }) => [at, purchased, used] as const),
            );
            return await usageOf(sql, organization, "2024-03-01", "2024-03-05");
          });
          assert.deepEqual(shown, expected);
        },
      ),
      { numRuns: 60 },
    )));
