import assert from "node:assert/strict";
import { claimSeats, invitationsTo, people } from "./claims.ts";
import { asRefusal, refusalIn, withConnections, withTransaction } from "./connection.ts";
import { addMembers, makeOrganization, numbersOf } from "./organizations.ts";
import { assertCounted } from "./recount.ts";
import { attempt, untilWaiting } from "./waiting.ts";

Deno.test("claim_seats() holds a seat for each, before Clerk knows of them", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 5, members: 2 });

    const claimed = await claimSeats(sql, organization, people(3));

    assert.deepEqual(
      claimed.map(({ email, role, outcome }) => [email, role, outcome]),
      people(3).map(({ email }) => [email, "org:member", "reserved"]),
    );
    assert.deepEqual(await invitationsTo(sql, organization, "p1@example.com"), ["reserved seat"]);
    assert.equal((await numbersOf(sql, organization)).used, 5);
    await assertCounted(sql, organization);
  }));

Deno.test("claim_seats() takes all or nobody, and says what is missing and what it would cost", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 5, members: 3 });

    const refusal = await refusalIn(sql, (sql) => claimSeats(sql, organization, people(4)));

    assert.equal(refusal.sqlstate, "PT409");
    assert.equal(refusal.code, "seats_full");
    assert.deepEqual(refusal.details, {
      seatLimit: 5,
      seatsUsed: 3,
      available: 2,
      needed: 4,
      missing: 2,
      cost: { seats: 2, plan: "pro", billingPeriod: "monthly", amount: 1800, currency: "usd" },
    });
    assert.equal((await numbersOf(sql, organization)).used, 3);
  }));

Deno.test("what more seats cost is told with the plan that they need, and not where none has so many", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 20 });
    const costOf = async (count: number) => {
      const refusal = await refusalIn(sql, (sql) => claimSeats(sql, organization, people(count)));
      return (refusal.details as { cost: { plan: string; seats: number } | null }).cost;
    };

    assert.deepEqual([(await costOf(21))?.plan, (await costOf(21))?.seats], ["max", 1]);
    assert.equal((await costOf(51))?.plan, "ultra");
    assert.equal(await costOf(101), null);
  }));

Deno.test("claim_seats() in part takes as many as fit, the first ones", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 5, members: 3 });

    const claimed = await claimSeats(sql, organization, people(4), true);

    assert.deepEqual(claimed.map(({ outcome }) => outcome), [
      "reserved",
      "reserved",
      "no_seat",
      "no_seat",
    ]);
    assert.deepEqual(
      claimed.map(({ invitationId }) => invitationId === null),
      [false, false, true, true],
    );
    assert.equal((await numbersOf(sql, organization)).used, 5);
    const again = await claimSeats(sql, organization, people(4), true);
    assert.deepEqual(again.map(({ outcome }) => outcome), [
      "already_invited",
      "already_invited",
      "no_seat",
      "no_seat",
    ]);
  }));

Deno.test("who is a member, is invited or is named twice takes no second seat", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 5 });
    const [member] = await addMembers(sql, organization, 1);
    assert(member !== undefined);
    await claimSeats(sql, organization, [{ email: "ann@example.com" }]);

    const claimed = await claimSeats(sql, organization, [
      { email: ` ${member.email.toUpperCase()}` },
      { email: "Ann@Example.com" },
      { email: "bob@example.com" },
      { email: "BOB@example.com" },
    ]);

    assert.deepEqual(claimed.map(({ outcome }) => outcome), [
      "already_member",
      "already_invited",
      "reserved",
      "already_invited",
    ]);
    assert.equal((await numbersOf(sql, organization)).used, 3);
  }));

Deno.test("claim_seats() refuses who is of another organization, is suspended, or has not paid", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { seats: 5 });
    const suspended = await makeOrganization(sql, { seats: 5, status: "suspended" });
    const overdue = await makeOrganization(sql, { seats: 5 });
    await sql`
      update public.organization_subscriptions set grace_until = now() - interval '1 second'
      where organization_id = ${overdue.id}`;
    const refused = async (...[target, invitees]: [typeof organization, unknown]) =>
      (await refusalIn(
        sql,
        (sql) => claimSeats(sql, target, invitees as { email: string }[]),
      )).code;

    assert.equal(
      await refused({ ...organization, clerkOrgId: suspended.clerkOrgId }, people(1)),
      "not_organization_admin",
    );
    assert.equal(await refused(suspended, people(1)), "organization_suspended");
    assert.equal(await refused(overdue, people(1)), "payment_overdue");
    for (const wrong of [[], people(501), [{ email: " " }], [{ role: "org:member" }], {}]) {
      assert.equal(await refused(organization, wrong), "invalid_request");
    }
  }));

Deno.test("of 64 claims at once exactly one gets the last seat", () =>
  withConnections(65, async ([holder, ...sessions]) => {
    const organization = await holder.begin((sql) =>
      makeOrganization(sql, { seats: 5, members: 4 })
    );

    const attempts = await holder.begin(async (sql) => {
      await sql`select from public.organizations where id = ${organization.id} for update`;
      const attempts = await Promise.all(
        sessions.map((session, n) =>
          attempt(session, (session) => claimSeats(session, organization, people(1, `s${n}x`)))
        ),
      );
      await untilWaiting(sql, attempts);
      return attempts;
    });
    const outcomes = await Promise.all(attempts.map(({ outcome }) => outcome));

    const refused = outcomes.flatMap((one) => one.status === "rejected" ? [one.reason] : []);
    assert.equal(refused.length, 63);
    assert.deepEqual([...new Set(refused.map((one) => asRefusal(one).code))], ["seats_full"]);
    await assertCounted(holder, organization);
    assert.equal((await numbersOf(holder, organization)).used, 5);
  }));
