import postgres from "postgres";
import * as queries from "./schema_queries.ts";

const SCHEMAS = ["private", "public"];

/** In the order in which the statements about one table, view or function stand. */
const QUERIES = [
  queries.tables,
  queries.views,
  queries.functions,
  queries.indexes,
  queries.rowSecurity,
  queries.policies,
  queries.triggers,
  queries.comments,
  queries.grants,
];

const HEADER =
  `-- What the migrations add up to, for reading and reviewing. Made by "npm run db:schema".
-- Not a script to run: that is what the migrations are.`;

/**
 * Describes the schemas `public` and `private` of a database as DDL, in an order that depends on
 * nothing but names. Takes the address of the database, for the role that ran the migrations.
 */
export async function describeSchema(databaseUrl: string): Promise<string> {
  const sql = postgres(databaseUrl, { max: 1 });
  try {
    // With nothing on the path, Postgres writes every name in full.
    await sql`set search_path = ''`;
    const paragraphs = [HEADER];
    for (const schema of SCHEMAS) paragraphs.push(...await describe(sql, schema));
    return `${paragraphs.join("\n\n")}\n`;
  } finally {
    await sql.end();
  }
}

async function describe(sql: postgres.Sql, schema: string): Promise<string[]> {
  const paragraphs = new Map<string, string[]>();
  for (const query of QUERIES) {
    const rows = Map.groupBy(await query(sql, schema), ({ subject }) => subject);
    for (const [subject, statements] of rows) {
      const paragraph = statements.map(({ statement }) => statement).join("\n");
      paragraphs.set(subject, [...paragraphs.get(subject) ?? [], paragraph]);
    }
  }
  const about = await queries.schema(sql, schema);
  const ordered = [...paragraphs].sort(([left], [right]) => compare(left, right));
  return [
    `-- schema ${schema}`,
    about.map(({ statement }) => statement).join("\n"),
    ...ordered.flatMap(([, paragraphs]) => paragraphs),
  ];
}

/** Tables and views first, then functions, which are named with their arguments. */
function compare(left: string, right: string): number {
  const kinds = Number(left.includes("(")) - Number(right.includes("("));
  if (kinds !== 0) return kinds;
  return left < right ? -1 : 1;
}
