import assert from "node:assert/strict";
import { approveMember, requestMembership } from "./commands.ts";
import { only, withTransaction } from "./connection.ts";
import { joinCodeOf } from "./join_requests.ts";
import { makeOrganization, numbersOf } from "./organizations.ts";
import { randomToken } from "./random_id.ts";

Deno.test("request_membership() takes a code in any case, and no seat", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 1, members: 1 });
    const code = await joinCodeOf(sql, organization);

    const id = await requestMembership(sql, ` ${code.toLowerCase()} `, "user_nina", " Nina@X.io ");

    const rows = await sql`
      select organization_id, clerk_user_id, email, status from public.organization_members
      where id = ${id}`;
    assert.deepEqual({ ...only(rows) }, {
      organization_id: organization.id,
      clerk_user_id: "user_nina",
      email: "nina@x.io",
      status: "requested",
    });
    assert.equal((await numbersOf(sql, organization)).used, 1);
  }));

Deno.test("request_membership() answers the same person with the same request", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 5 });
    const code = await joinCodeOf(sql, organization);
    const ask = () => requestMembership(sql, code, "user_nina", "nina@example.com");

    const id = await ask();
    assert.equal(await ask(), id);
    assert(id !== null);
    await approveMember(sql, id);
    assert.equal(await ask(), id);

    await sql`update public.organization_members set status = 'removed' where id = ${id}`;
    assert.notEqual(await ask(), id);
  }));

Deno.test("request_membership() knows no code of a deleted organization, nor a made-up one", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 5 });
    const code = await joinCodeOf(sql, organization);
    await sql`update public.organizations set deleted_at = now() where id = ${organization.id}`;

    assert.equal(await requestMembership(sql, code, "user_nina", null), null);
    assert.equal(await requestMembership(sql, randomToken(), "user_nina", null), null);
  }));
