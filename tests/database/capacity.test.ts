import assert from "node:assert/strict";
import { approveMember, checkCapacity, setOrganizationStatus } from "./commands.ts";
import { only, refusalIn, withTransaction } from "./connection.ts";
import { addRequest } from "./join_requests.ts";
import { addInvitations, addMembers, makeOrganization } from "./organizations.ts";
import { randomId } from "./random_id.ts";

Deno.test("check_organization_capacity() counts members and invitations against the limit", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 5, members: 2, invitations: 2 });
    const before = { canAdd: true, members: 2, seatLimit: 5, remaining: 1 };
    assert.deepEqual(await checkCapacity(sql, organization), before);

    await addInvitations(sql, organization, 1);
    const full = { canAdd: false, members: 2, seatLimit: 5, remaining: 0 };
    assert.deepEqual(await checkCapacity(sql, organization), full);

    await addMembers(sql, organization, 2);
    const over = { canAdd: false, members: 4, seatLimit: 5, remaining: -2 };
    assert.deepEqual(await checkCapacity(sql, organization), over);
  }));

Deno.test("check_seat_availability() says the same in the words of billing", () =>
  withTransaction(async (sql) => {
    const { id } = await makeOrganization(sql, { seats: 5, members: 3, invitations: 1 });

    const rows = await sql`select * from public.check_seat_availability(${id})`;

    assert.deepEqual({ ...only(rows) }, {
      has_seats: true,
      current_members: 3,
      purchased_seats: 5,
      remaining_seats: 1,
    });
  }));

Deno.test("without a subscription there is no capacity", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { members: 1 });

    assert.deepEqual(await checkCapacity(sql, organization), {
      canAdd: false,
      members: 1,
      seatLimit: 0,
      remaining: -1,
    });
  }));

Deno.test("seats that will not be renewed cannot be taken any more", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 10, members: 3 });
    await sql`
      update public.organization_subscriptions set renewal_seats = 4
      where organization_id = ${organization.id}`;

    assert.equal((await checkCapacity(sql, organization))?.remaining, 1);
    await approveMember(sql, (await addRequest(sql, organization)).id);
    const full = { canAdd: false, members: 4, seatLimit: 10, remaining: 0 };
    assert.deepEqual(await checkCapacity(sql, organization), full);
    const late = await addRequest(sql, organization);
    const { code } = await refusalIn(sql, (sql) => approveMember(sql, late.id));

    assert.equal(code, "seats_full");
  }));

Deno.test("an organization that is not approved, is suspended or deleted adds nobody", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 5, status: "pending" });
    const request = await addRequest(sql, organization);
    const refused = async () => {
      assert.equal((await checkCapacity(sql, organization))?.canAdd, false);
      const { sqlstate, code } = await refusalIn(sql, (sql) => approveMember(sql, request.id));
      return [sqlstate, code];
    };

    assert.deepEqual(await refused(), ["PT403", "organization_not_approved"]);
    await setOrganizationStatus(sql, organization, "suspended");
    assert.deepEqual(await refused(), ["PT403", "organization_suspended"]);
    await setOrganizationStatus(sql, organization, "approved");
    await sql`update public.organizations set deleted_at = now() where id = ${organization.id}`;
    assert.deepEqual(await refused(), ["PT404", "organization_not_found"]);
  }));

Deno.test("set_organization_status() knows its organization and its three states", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 5, status: "pending" });

    await setOrganizationStatus(sql, organization, "approved");
    assert.equal((await checkCapacity(sql, organization))?.canAdd, true);

    const unknown = await refusalIn(
      sql,
      (sql) => setOrganizationStatus(sql, { id: crypto.randomUUID() }, "approved"),
    );
    assert.deepEqual([unknown.sqlstate, unknown.code], ["PT404", "organization_not_found"]);
    const wrong = await refusalIn(sql, (sql) => setOrganizationStatus(sql, organization, "gone"));
    assert.equal(wrong.sqlstate, "23514");
  }));

Deno.test("a new organization has the status that the settings say", () =>
  withTransaction(async (sql) => {
    await sql`update private.settings set default_organization_status = 'pending'`;
    const rows = await sql`
      insert into public.organizations (clerk_org_id) values (${randomId("org")})
      returning status`;
    assert.equal(only(rows)["status"], "pending");
  }));
