import type { Sql } from "./connection.ts";

/*
 * What is ours in the database, read from Postgres's catalogs: a new table or function cannot be
 * forgotten. What an extension has brought is not ours.
 */

/** The roles of the Data API, and everyone. */
export const ROLES = ["anon", "authenticated", "service_role"] as const;

/** A role of the Data API. */
export type Role = typeof ROLES[number];

const OURS = "('public'::regnamespace, 'private'::regnamespace)";

const OF_AN_EXTENSION = `exists (
  select from pg_catalog.pg_depend as d
  where d.objid = thing.oid and d.classid = thing.tableoid and d.deptype = 'e'
)`;

/** A table, view or sequence. */
export interface Relation {
  readonly name: string;
  /** r a table, v a view, S a sequence. */
  readonly kind: string;
  readonly rowSecurity: boolean;
  readonly comment: string | null;
}

/** Every table, view and sequence of ours. */
export async function relations(sql: Sql): Promise<readonly Relation[]> {
  return await sql.unsafe<Relation[]>(`
    select n.nspname || '.' || thing.relname as name, thing.relkind as kind,
      thing.relrowsecurity as "rowSecurity",
      pg_catalog.obj_description(thing.oid, 'pg_class') as comment
    from pg_catalog.pg_class as thing
    join pg_catalog.pg_namespace as n on n.oid = thing.relnamespace
    where n.oid in ${OURS} and thing.relkind not in ('i', 'I', 't', 'c') and not ${OF_AN_EXTENSION}
    order by 1`);
}

/** A function, as `schema.name(types)`. */
export interface Routine {
  readonly name: string;
  readonly definer: boolean;
  readonly settings: readonly string[];
  readonly comment: string | null;
}

/** Every function of ours. */
export async function routines(sql: Sql): Promise<readonly Routine[]> {
  return await sql.unsafe<Routine[]>(`
    select ${ROUTINE} as name, thing.prosecdef as definer,
      to_jsonb(coalesce(thing.proconfig, '{}')) as settings,
      pg_catalog.obj_description(thing.oid, 'pg_proc') as comment
    from pg_catalog.pg_proc as thing
    join pg_catalog.pg_namespace as n on n.oid = thing.pronamespace
    where n.oid in ${OURS} and not ${OF_AN_EXTENSION}
    order by 1`);
}

const ROUTINE = `n.nspname || '.' || thing.proname
  || '(' || pg_catalog.oidvectortypes(thing.proargtypes) || ')'`;

/** The functions of ours that a role may execute. */
export async function executableBy(sql: Sql, role: Role): Promise<readonly string[]> {
  const rows = await sql.unsafe<{ name: string }[]>(
    `select ${ROUTINE} as name
     from pg_catalog.pg_proc as thing
     join pg_catalog.pg_namespace as n on n.oid = thing.pronamespace
     where n.oid in ${OURS} and not ${OF_AN_EXTENSION}
       and pg_catalog.has_function_privilege($1, thing.oid, 'execute')
     order by 1`,
    [role],
  );
  return rows.map(({ name }) => name);
}

/** What a role may do with each table, view and sequence of ours, also with a column of it. */
export async function privilegesOf(
  sql: Sql,
  role: Role,
): Promise<Readonly<Record<string, readonly string[]>>> {
  const rows = await sql.unsafe<{ name: string; privilege: string }[]>(
    `select distinct n.nspname || '.' || thing.relname as name, privilege
     from pg_catalog.pg_class as thing
     join pg_catalog.pg_namespace as n on n.oid = thing.relnamespace
     cross join lateral (
       select p as privilege
       from unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) as p
       where thing.relkind <> 'S' and pg_catalog.has_table_privilege($1, thing.oid, p)
       union all
       select p
       from unnest(array['SELECT', 'INSERT', 'UPDATE', 'REFERENCES']) as p
       where thing.relkind <> 'S' and pg_catalog.has_any_column_privilege($1, thing.oid, p)
       union all
       select p
       from unnest(array['SELECT', 'UPDATE', 'USAGE']) as p
       where thing.relkind = 'S' and pg_catalog.has_sequence_privilege($1, thing.oid, p)
     ) as held
     where n.oid in ${OURS} and thing.relkind not in ('i', 'I', 't', 'c') and not ${OF_AN_EXTENSION}
     order by 1, 2`,
    [role],
  );
  const privileges: Record<string, string[]> = {};
  for (const { name, privilege } of rows) (privileges[name] ??= []).push(privilege);
  return privileges;
}

/** The columns of ours that have a comment, as `table.column`. */
export async function commentedColumns(sql: Sql): Promise<readonly string[]> {
  const rows = await sql.unsafe<{ name: string }[]>(`
    select c.relname || '.' || a.attname as name
    from pg_catalog.pg_attribute as a
    join pg_catalog.pg_class as c on c.oid = a.attrelid
    where c.relnamespace in ${OURS} and c.relkind in ('r', 'v')
      and pg_catalog.col_description(c.oid, a.attnum) is not null
    order by 1`);
  return rows.map(({ name }) => name);
}
