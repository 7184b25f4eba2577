import assert from "node:assert/strict";
import { applyClerkEvent } from "./clerk_deliveries.ts";
import { clerkMembership, clerkOrganization, membershipEvent, minute } from "./clerk_events.ts";
import { approveMember } from "./commands.ts";
import {
  only,
  rolledBack,
  type Transaction,
  withConnections,
  withTransaction,
} from "./connection.ts";
import { addRequest, requestBy } from "./join_requests.ts";
import { makeOrganization, numbersOf } from "./organizations.ts";
import { permutations } from "./orders.ts";
import { randomId } from "./random_id.ts";
import { rowsOf } from "./rows.ts";

Deno.test("a membership that Clerk makes for an approved member is that member", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 1 });
    const request = await addRequest(sql, organization);
    await approveMember(sql, request.id);
    const membership = {
      ...clerkMembership(clerkOrganization(organization.clerkOrgId), "ann", Date.now()),
      userId: request.userId,
    };

    await applyClerkEvent(sql, membershipEvent("created", membership));

    assert.equal((await numbersOf(sql, organization)).used, 1);
    const rows = await sql`
      select id, status from public.organization_members
      where clerk_membership_id = ${membership.id}`;
    assert.deepEqual({ ...only(rows) }, { id: request.id, status: "active" });
  }));

Deno.test("somebody who asked and was added in Clerk needs no approval any more", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 5 });
    const request = await addRequest(sql, organization);
    const membership = {
      ...clerkMembership(clerkOrganization(organization.clerkOrgId), "ann", Date.now()),
      userId: request.userId,
    };

    await applyClerkEvent(sql, membershipEvent("created", membership));

    assert.equal((await approveMember(sql, request.id)).status, "active");
    assert.equal((await numbersOf(sql, organization)).used, 1);
  }));

Deno.test("the end of an earlier membership is not the end of one approved since", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 5 });
    const request = await addRequest(sql, organization);
    await approveMember(sql, request.id);
    const earlier = {
      ...clerkMembership(clerkOrganization(organization.clerkOrgId), "ann", minute(10)),
      userId: request.userId,
    };

    await applyClerkEvent(sql, membershipEvent("deleted", { ...earlier, updatedAt: minute(20) }));

    assert.equal((await numbersOf(sql, organization)).members, 1);
    const rows = await sql`
      select status from public.organization_members where clerk_membership_id = ${earlier.id}`;
    assert.equal(only(rows)["status"], "removed");
  }));

Deno.test("any order of the facts about somebody approved before leaves the same rows", () =>
  withConnections(1, async ([connection]) => {
    const [earlierId, laterId] = [randomId("orgmem"), randomId("orgmem")];
    const results: unknown[] = [];
    for (const order of permutations([0, 1, 2, 3])) {
      results.push(
        await rolledBack(connection, (sql) => rowsOfApproved(sql, order, earlierId, laterId)),
      );
    }
    for (const rows of results) assert.deepEqual(rows, results[0]);
  }));

async function rowsOfApproved(
  sql: Transaction,
  order: readonly number[],
  earlierId: string,
  laterId: string,
): Promise<unknown> {
  const organization = await makeOrganization(sql, { seats: 5 });
  const id = await requestBy(sql, organization, "ann@example.com");
  await sql`update public.organization_members set clerk_user_id = 'user_ann' where id = ${id}`;
  await approveMember(sql, id);
  const clerk = clerkOrganization(organization.clerkOrgId);
  const earlier = { ...clerkMembership(clerk, "ann", minute(1)), id: earlierId };
  const later = { ...clerkMembership(clerk, "ann", minute(125)), id: laterId };
  const events = [
    membershipEvent("created", earlier),
    membershipEvent("deleted", { ...earlier, updatedAt: minute(2) }),
    membershipEvent("created", later),
    membershipEvent("updated", { ...later, role: "org:admin", updatedAt: minute(126) }),
  ];
  for (const event of order.flatMap((index) => events[index] ?? [])) {
    await applyClerkEvent(sql, event);
  }
  return (await rowsOf(sql, organization.clerkOrgId))["members"];
}
