import fc from "fast-check";
import { type Sql } from "./connection.ts";

/** A statement on members or invitations, as anyone with a console could write it. */
export interface Statement {
  /** For whoever reads a counterexample. */
  readonly told: unknown;
  run(sql: Sql, organizations: readonly string[]): Promise<unknown>;
}

const PEOPLE = ["ann", "bob", "cleo", "dan"];

const emails = fc.constantFrom(...PEOPLE).map((name) => `${name}@example.com`);
const users = fc.constantFrom(...PEOPLE).map((name) => `user_${name}`);
const memberStatuses = fc.constantFrom("requested", "active", "active", "removed", "rejected");
const invitationStatuses = fc.constantFrom(
  "reserved",
  "pending",
  "pending",
  "accepted",
  "joined",
  "revoked",
  "expired",
);

const members = fc.array(
  fc.record({
    n: fc.nat({ max: 1 }),
    email: fc.option(emails, { freq: 8 }),
    user: users,
    status: memberStatuses,
  }),
  { minLength: 1, maxLength: 6 },
);
const invitations = fc.array(
  fc.record({
    n: fc.nat({ max: 1 }),
    email: emails,
    user: fc.option(users, { freq: 1 }),
    status: invitationStatuses,
    made_at: fc.option(fc.constantFrom("2026-01-01", "2026-02-01", "2026-03-01")),
  }),
  { minLength: 1, maxLength: 6 },
);

/** Random rows go in by the dozen; a person who is active twice is left out. */
const inserts = fc.oneof(
  members.map((rows): Statement => ({
    told: { members: rows },
    run: (sql, organizations) =>
      sql`
        insert into public.organization_members (organization_id, clerk_user_id, email, status)
        select (string_to_array(${organizations.join()}, ','))[n + 1]::uuid, "user", email, status
        from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb)
          as r (n integer, "user" text, email text, status text)
        on conflict do nothing`,
  })),
  invitations.map((rows): Statement => ({
    told: { invitations: rows },
    run: (sql, organizations) =>
      sql`
        insert into public.organization_invitations (
          organization_id, clerk_user_id, email, status, clerk_created_at, expires_at
        )
        select (string_to_array(${organizations.join()}, ','))[n + 1]::uuid, "user", email, status,
          made_at, now() + interval '1 day'
        from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb)
          as r (n integer, "user" text, email text, status text, made_at timestamptz)`,
  })),
);

/** Which rows a change is about: those of an organization, of some people, or all. */
const filters = fc.record({
  organization: fc.option(fc.nat({ max: 1 })),
  emails: fc.option(fc.uniqueArray(emails, { minLength: 1 })),
});

function matching(
  sql: Sql,
  organizations: readonly string[],
  filter: { organization: number | null; emails: string[] | null },
) {
  const these = filter.organization === null
    ? organizations
    : organizations.slice(filter.organization, filter.organization + 1);
  return sql`
    organization_id::text = any (string_to_array(${these.join()}, ','))
    and (${filter.emails === null} or email = any (string_to_array(${
    filter.emails?.join() ?? ""
  }, ',')))`;
}

const changes = fc.oneof(
  changeOf("organization_members", "status", memberStatuses),
  changeOf("organization_members", "email", fc.option(emails)),
  changeOf("organization_members", "clerk_user_id", users),
  changeOf("organization_invitations", "status", invitationStatuses),
  changeOf("organization_invitations", "email", emails),
  changeOf("organization_invitations", "clerk_user_id", fc.option(users)),
  changeOf("organization_invitations", "clerk_created_at", fc.constantFrom("2026-02-02", null)),
  changeOf("organization_invitations", "holds_seat", fc.constantFrom("true", "false")),
);

function changeOf(table: string, column: string, values: fc.Arbitrary<string | null>) {
  return fc.record({ filter: filters, value: values }).map(({ filter, value }): Statement => ({
    told: { table, column, filter, value },
    run: (sql, organizations) =>
      sql`
        update public.${sql(table)} set ${sql(column)} = ${value}
        where ${matching(sql, organizations, filter)}`,
  }));
}

const moves = fc.constantFrom("organization_members", "organization_invitations")
  .map((table): Statement => ({
    told: { move: table },
    run: (sql, [from, to]) =>
      sql`
        update public.${sql(table)} set organization_id = ${to ?? null}
        where organization_id = ${from ?? null}`,
  }));

const deletes = fc.record({
  table: fc.constantFrom("organization_members", "organization_invitations"),
  filter: filters,
}).map(({ table, filter }): Statement => ({
  told: { delete: table, filter },
  run: (sql, organizations) =>
    sql`delete from public.${sql(table)} where ${matching(sql, organizations, filter)}`,
}));

/** One statement that removes members and invites the same people. */
const exchanges = filters.map((filter): Statement => ({
  told: { exchange: filter },
  run: (sql, organizations) =>
    sql`
      with removed as (
        update public.organization_members set status = 'removed'
        where ${matching(sql, organizations, filter)} and status = 'active' and email is not null
        returning organization_id, email
      )
      insert into public.organization_invitations (organization_id, email, status, expires_at)
      select organization_id, email, 'pending', now() + interval '1 day' from removed`,
}));

/** Statements of every kind, on the rows of two organizations. */
export const statements: fc.Arbitrary<Statement> = fc.oneof(
  { arbitrary: inserts, weight: 3 },
  { arbitrary: changes, weight: 4 },
  { arbitrary: deletes, weight: 1 },
  { arbitrary: moves, weight: 1 },
  { arbitrary: exchanges, weight: 1 },
);
