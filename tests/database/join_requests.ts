import { requestMembership } from "./commands.ts";
import { only, type Sql } from "./connection.ts";
import { addRequests, type Organization, type Person } from "./organizations.ts";
import { randomId } from "./random_id.ts";

/** Someone who asks to join. */
export async function addRequest(
  sql: Sql,
  organization: Organization,
): Promise<Omit<Person, "clerkId">> {
  return only(await addRequests(sql, organization, 1));
}

/** The code that people ask to join with. */
export async function joinCodeOf(sql: Sql, { id }: Organization): Promise<string> {
  const rows = await sql<{ code: string }[]>`
    select join_code as code from public.organizations where id = ${id}`;
  return only(rows).code;
}

/** The id of a request that somebody with this address makes with the code. */
export async function requestBy(
  sql: Sql,
  organization: Organization,
  email: string | null,
): Promise<string> {
  const code = await joinCodeOf(sql, organization);
  const id = await requestMembership(sql, code, randomId("user"), email);
  if (id === null) throw new Error(`No organization has the code ${code}`);
  return id;
}
