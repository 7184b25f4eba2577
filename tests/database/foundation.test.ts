import assert from "node:assert/strict";
import fc from "fast-check";
import { only, refusalIn, type Transaction, withTransaction } from "./connection.ts";
import { addInvitations, addMembers, makeOrganization } from "./organizations.ts";

async function normalized(sql: Transaction, email: string | null): Promise<string | null> {
  const rows = await sql<{ email: string | null }[]>`
    select private.normalize_email(${email}) as email`;
  return only(rows).email;
}

Deno.test("private.refuse() raises what PostgREST answers as an HTTP status", () =>
  withTransaction(async (sql) => {
    const refusal = await refusalIn(sql, (sql) =>
      sql`
      select private.refuse(409, 'seats_full', 'All seats are taken.', '{"available": 0}')`);

    assert.deepEqual(refusal, {
      sqlstate: "PT409",
      code: "seats_full",
      sentence: "All seats are taken.",
      details: { available: 0 },
    });
  }));

Deno.test("normalize_email() trims, folds case, and makes nothing of an empty address", () =>
  withTransaction(async (sql) => {
    assert.equal(await normalized(sql, "  Ann.Smith@EXAMPLE.com "), "ann.smith@example.com");
    assert.equal(await normalized(sql, "ÉLODIE@example.com"), "élodie@example.com");
    assert.equal(await normalized(sql, "   "), null);
    assert.equal(await normalized(sql, ""), null);
    assert.equal(await normalized(sql, null), null);
  }));

Deno.test("normalize_email() leaves alone what it has normalized, however long", () =>
  withTransaction(async (sql) => {
    const addresses = fc.array(fc.constantFrom("a", "B", " ", "é", "@"), { maxLength: 330 })
      .map((characters) => characters.join(""));
    const filler = "x".repeat(319);
    await fc.assert(
      fc.asyncProperty(addresses, async (address) => {
        const once = await normalized(sql, address);
        assert.equal(await normalized(sql, once), once);
      }),
      { examples: [[`${filler} y`], [`${filler}é y`]], numRuns: 50 },
    );
  }));

Deno.test("to_uuid() gives null for what is no uuid", () =>
  withTransaction(async (sql) => {
    const rows = await sql<{ given: string; uuid: string | null }[]>`
      select given, private.to_uuid(given) as uuid
      from (values ('0B0E7CF3-7E1C-4D7A-9F5B-0123456789AB'), ('acme'), (''),
        ('0b0e7cf3-7e1c-4d7a-9f5b-0123456789ab; --')) as v (given)`;

    assert.deepEqual(rows.map(({ uuid }) => uuid), [
      "0b0e7cf3-7e1c-4d7a-9f5b-0123456789ab",
      null,
      null,
      null,
    ]);
  }));

Deno.test("clerk_time() takes milliseconds and seconds", () =>
  withTransaction(async (sql) => {
    const rows = await sql<{ time: Date | null }[]>`
      select private.clerk_time(given) as time
      from (values ('1767225600123'::jsonb), ('1767225600'), ('"1767225600"'), ('null'), (null))
        as v (given)`;

    assert.deepEqual(rows.map(({ time }) => time?.toISOString()), [
      "2026-01-01T00:00:00.123Z",
      "2026-01-01T00:00:00.000Z",
      undefined,
      undefined,
      undefined,
    ]);
  }));

/** What may be written without stamping `updated_at`: see each table's trigger. */
const NO_NEWS = [
  "organizations.last_synced_at",
  // private.count_seats() stamps the row itself.
  "organizations.members_count",
  "organizations.pending_invitations_count",
  "organization_members.holds_seat",
  "organization_invitations.holds_seat",
];

Deno.test("every table with updated_at stamps it at each update of any column that is news", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 5 });
    await addMembers(sql, organization, 1);
    await addInvitations(sql, organization, 1);
    await sql`
      insert into public.seat_changes (
        organization_id, kind, plan, billing_period, seats, success_url, cancel_url, actor,
        expires_at
      ) values (${organization.id}, 'checkout', 'pro', 'monthly', 5, 'https://acme.example/bought',
        'https://acme.example/left', 'user_admin', now())`;
    const columns = await sql<{ name: string; column: string }[]>`
      select c.oid::regclass::text as name, news.attname as column
      from pg_catalog.pg_class as c
      join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attname = 'updated_at'
      join pg_catalog.pg_attribute as news
        on news.attrelid = c.oid and news.attnum > 0 and news.attname <> 'updated_at' and news.attgenerated = '' and not news.attisdropped
      where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace) and c.relkind = 'r'
        and c.oid::regclass::text || '.' || news.attname <> all (string_to_array(${NO_NEWS.join()}, ','))`;
    assert.equal(new Set(columns.map(({ name }) => name)).size, 5);

    for (const { name, column } of columns) {
      const key = name.endsWith("organizations") ? "id" : "organization_id";
      const rows = await sql.unsafe<{ before: string; after: string }[]>(
        `with old as (select updated_at from ${name} where ${key} = $1)
         update ${name} as new set ${column} = new.${column} from old where ${key} = $1
         returning old.updated_at::text as before, new.updated_at::text as after`,
        [organization.id],
      );
      const { before, after } = only(rows);
      assert(after > before, `${name} says ${after} after ${before} when ${column} is written`);
    }
  }));
