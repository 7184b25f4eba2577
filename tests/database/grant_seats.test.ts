import assert from "node:assert/strict";
import { approveMember } from "./commands.ts";
import { refusalIn, type Sql, withTransaction } from "./connection.ts";
import { addRequest } from "./join_requests.ts";
import { makeOrganization, numbersOf } from "./organizations.ts";
import { assertStanding, bookingsOf, startChange } from "./seat_changes.ts";
import {
  applySubscriptionEvent,
  second,
  subscribe,
  subscriptionEvent,
} from "./paid_subscriptions.ts";

async function grantSeats(
  sql: Sql,
  { id }: { readonly id: string },
  seats: number | null,
  reason: string | null = "friends of the house",
): Promise<void> {
  await sql`select public.grant_seats(${id}, ${seats}, ${reason}, 'user_operator')`;
}

Deno.test("free seats can be taken like others, without Stripe", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql);

    await grantSeats(sql, organization, 1);

    await assertStanding(sql, organization, {
      status: "none",
      plan: null,
      purchased: 1,
      renewal: 1,
    });
    const [first, second] = [
      await addRequest(sql, organization),
      await addRequest(sql, organization),
    ];
    assert.equal((await approveMember(sql, first.id)).status, "active");
    const { code } = await refusalIn(sql, (sql) => approveMember(sql, second.id));
    assert.equal(code, "seats_full");
  }));

Deno.test("free seats and why they were given are in the account book", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql);

    await grantSeats(sql, organization, 30);
    await grantSeats(sql, organization, 0, "no friends any more");

    const bookings = (await bookingsOf(sql, organization)).filter(({ after }) =>
      after !== null && "purchased_seats" in after
    );
    assert.deepEqual(
      bookings.slice(-2).map(({ actor, cause, before, after }) => [
        actor,
        cause,
        before?.["purchased_seats"],
        after?.["purchased_seats"],
      ]),
      [
        ["user_operator", "grant_seats: friends of the house", 0, 30],
        ["user_operator", "grant_seats: no friends any more", 30, 0],
      ],
    );
  }));

Deno.test("free seats that are taken back throw nobody out", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { members: 3 });
    await grantSeats(sql, organization, 5);

    await grantSeats(sql, organization, 0);

    await assertStanding(sql, organization, { purchased: 0 });
    const { members, overCapacity } = await numbersOf(sql, organization);
    assert.deepEqual({ members, overCapacity }, { members: 3, overCapacity: true });
  }));

Deno.test("free seats count while no subscription gives any", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { members: 2 });
    await grantSeats(sql, organization, 30);

    const subscription = await subscribe(sql, organization);
    await assertStanding(sql, organization, {
      status: "active",
      plan: "pro",
      purchased: 10,
      renewal: 10,
    });
    await grantSeats(sql, organization, 40);
    await assertStanding(sql, organization, { purchased: 10 });

    const ended = { ...subscription, status: "canceled" };
    await applySubscriptionEvent(sql, subscriptionEvent(ended, second(60), "deleted"));
    await assertStanding(sql, organization, { status: "canceled", purchased: 40, renewal: 40 });
    const { code } = await refusalIn(
      sql,
      (sql) => startChange(sql, organization, { seats: 12 }),
    );
    assert.equal(code, "no_subscription");
  }));

for (
  const [what, seats, reason] of [
    ["without a number", null, "friends"],
    ["below zero", -1, "friends"],
    ["without a reason", 5, null],
    ["with a blank reason", 5, "  "],
  ] as const
) {
  Deno.test(`free seats ${what} are refused`, () =>
    withTransaction(async (sql) => {
      const organization = await makeOrganization(sql, { seats: 3 });

      const refusal = await refusalIn(sql, (sql) => grantSeats(sql, organization, seats, reason));

      assert.deepEqual([refusal.sqlstate, refusal.code], ["PT400", "invalid_request"]);
      await assertStanding(sql, organization, { purchased: 3 });
    }));
}

Deno.test("free seats for an organization that nobody knows are refused", () =>
  withTransaction(async (sql) => {
    const nowhere = { id: crypto.randomUUID() };
    const refusal = await refusalIn(sql, (sql) => grantSeats(sql, nowhere, 5));
    assert.deepEqual([refusal.sqlstate, refusal.code], ["PT404", "organization_not_found"]);
  }));

for (const role of ["anon", "authenticated"]) {
  Deno.test(`${role} can neither grant nor change seats`, () =>
    withTransaction(async (sql) => {
      const organization = await makeOrganization(sql, { members: 2 });
      await subscribe(sql, organization);
      await sql.unsafe(`set local role ${role}`);
      for (
        const call of [
          "grant_seats($1::uuid, 5, 'friends', 'me')",
          "start_seat_change($1::uuid, 'org', 5, 'key', 'me')",
          "settle_seat_change($1::uuid, '{}', 'error')",
          "mark_seat_change_stuck($1::uuid, 'error')",
          "seat_summary($1::uuid, 'org')",
          "preview_seat_change($1::uuid, 'org', 5)",
        ]
      ) {
        const { sqlstate } = await refusalIn(
          sql,
          (sql) => sql.unsafe(`select public.${call}`, [organization.id]),
        );
        assert.equal(sqlstate, "42501", call);
      }
    }));
}
