import assert from "node:assert/strict";
import { abandonCheckout, attachSession, startCheckout, stateOf, type Wish } from "./checkouts.ts";
import { only, refusalIn, withConnections, withTransaction } from "./connection.ts";
import { makeOrganization, numbersOf, setSeats } from "./organizations.ts";
import { randomId } from "./random_id.ts";
import { attachCustomer } from "./stripe_deliveries.ts";

Deno.test("start_checkout() records the intent and says what Stripe needs", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { members: 2 });
    const earliest = Date.now() / 1000 + 22 * 3600;

    const { seatChangeId, expiresAt, ...rest } = await startCheckout(sql, organization, {
      plan: "max",
      billingPeriod: "yearly",
      seats: 25,
    });

    assert.deepEqual(rest, {
      lookupKey: "seatkeeper_max_yearly",
      stripeCustomerId: null,
      organizationName: "Acme",
    });
    assert(expiresAt > earliest && expiresAt < earliest + 2 * 3600);
    const rows = await sql`
      select organization_id, kind, state, plan, billing_period, seats, success_url, cancel_url,
        actor, stripe_checkout_session_id, extract(epoch from expires_at)::integer as expires_at
      from public.seat_changes where id = ${seatChangeId}`;
    assert.deepEqual({ ...only(rows) }, {
      organization_id: organization.id,
      kind: "checkout",
      state: "open",
      plan: "max",
      billing_period: "yearly",
      seats: 25,
      success_url: "https://acme.example/bought",
      cancel_url: "https://acme.example/left",
      actor: "user_admin",
      stripe_checkout_session_id: null,
      expires_at: expiresAt,
    });
    assert.equal((await numbersOf(sql, organization)).seatLimit, 0);
  }));

for (const status of ["none", "canceled", "incomplete_expired"]) {
  Deno.test(`start_checkout() sells again when the subscription is ${status}`, () =>
    withTransaction(async (sql) => {
      const organization = await makeOrganization(sql, { seats: 0 });
      await sql`
        update public.organization_subscriptions set status = ${status}
        where organization_id = ${organization.id}`;

      const { stripeCustomerId } = await startCheckout(sql, organization);

      assert.equal(stripeCustomerId, organization.stripeCustomerId);
    }));
}

Deno.test("start_checkout() does not count invitations whose time is over", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql, { members: 3, invitations: 2 });
    await sql`
      update public.organization_invitations set expires_at = clock_timestamp()
      where organization_id = ${organization.id}`;

    await startCheckout(sql, organization, { seats: 3 });

    assert.equal((await numbersOf(sql, organization)).used, 3);
  }));

Deno.test("the same wish again is the same intent, whoever has it", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql);

    const first = await startCheckout(sql, organization);
    const again = await startCheckout(sql, organization, { actor: "user_other" });

    assert.deepEqual(again, first);
  }));

Deno.test("another wish takes the place of the last, which then is superseded", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql);
    let last = await startCheckout(sql, organization);
    const wishes: Wish[] = [
      { seats: 6 },
      { seats: 6, billingPeriod: "yearly" },
      { seats: 21, plan: "max" },
      { successUrl: "https://acme.example/thanks" },
      { cancelUrl: "https://acme.example/back" },
    ];
    for (const wish of wishes) {
      const next = await startCheckout(sql, organization, wish);
      assert.notEqual(next.seatChangeId, last.seatChangeId);
      assert.equal(await stateOf(sql, last.seatChangeId), "superseded");
      assert.equal(await stateOf(sql, next.seatChangeId), "open");
      last = next;
    }
  }));

Deno.test("after an intent has run out the same wish is a new one", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql);
    const first = await startCheckout(sql, organization);
    await sql`
      update public.seat_changes set expires_at = clock_timestamp()
      where id = ${first.seatChangeId}`;

    const next = await startCheckout(sql, organization);

    assert.notEqual(next.seatChangeId, first.seatChangeId);
    assert.equal(await stateOf(sql, first.seatChangeId), "expired");
  }));

Deno.test("two clicks at once are one intent", () =>
  withConnections(16, async (connections) => {
    const [observer] = connections;
    const organization = await observer.begin((sql) => makeOrganization(sql));

    const checkouts = await Promise.all(
      connections.map((sql) => startCheckout(sql, organization)),
    );

    assert.equal(new Set(checkouts.map(({ seatChangeId }) => seatChangeId)).size, 1);
    const rows = await observer`
      select from public.seat_changes where organization_id = ${organization.id}`;
    assert.equal(rows.length, 1);
  }));

Deno.test("of the Stripe customers that come at once the first stays", () =>
  withConnections(16, async (connections) => {
    const [observer] = connections;
    const organization = await observer.begin((sql) => makeOrganization(sql));
    const customers = connections.map(() => randomId("cus"));

    const attached = await Promise.all(
      connections.map((sql, index) =>
        attachCustomer(sql, { ...organization, stripeCustomerId: customers[index] ?? "" })
      ),
    );

    assert.equal(new Set(attached).size, 1);
    assert(customers.includes(attached[0] ?? ""));
    assert.equal((await startCheckout(observer, organization)).stripeCustomerId, attached[0]);
    assert.equal((await numbersOf(observer, organization)).seatLimit, 0);
  }));

Deno.test("attach_stripe_customer() leaves a subscription as it is", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql);
    await attachCustomer(sql, organization);
    await setSeats(sql, organization, 5);

    const other = { ...organization, stripeCustomerId: randomId("cus") };

    assert.equal(await attachCustomer(sql, other), organization.stripeCustomerId);
    assert.equal((await numbersOf(sql, organization)).seatLimit, 5);
    const unknown = await refusalIn(
      sql,
      (sql) => attachCustomer(sql, { ...other, id: crypto.randomUUID() }),
    );
    assert.deepEqual([unknown.sqlstate, unknown.code], ["PT404", "organization_not_found"]);
  }));

Deno.test("attach_checkout_session() says when the intent has been superseded meanwhile", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql);
    const first = await startCheckout(sql, organization);
    assert.equal(await attachSession(sql, first.seatChangeId, randomId("cs")), "open");
    const next = await startCheckout(sql, organization, { seats: 6 });

    assert.equal(await attachSession(sql, first.seatChangeId, randomId("cs")), "superseded");
    assert.equal(await attachSession(sql, next.seatChangeId, randomId("cs")), "open");
    assert.equal(await attachSession(sql, crypto.randomUUID(), randomId("cs")), null);
  }));

Deno.test("abandon_checkout() ends an open intent, so that the same wish is a new one", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql);
    const first = await startCheckout(sql, organization);

    await abandonCheckout(sql, first.seatChangeId);
    const next = await startCheckout(sql, organization);

    assert.notEqual(next.seatChangeId, first.seatChangeId);
    assert.equal(await stateOf(sql, first.seatChangeId), "superseded");
  }));

Deno.test("abandon_checkout() leaves an intent alone that has ended", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql);
    const { seatChangeId } = await startCheckout(sql, organization);
    await sql`update public.seat_changes set state = 'completed' where id = ${seatChangeId}`;

    await abandonCheckout(sql, seatChangeId);

    assert.equal(await stateOf(sql, seatChangeId), "completed");
  }));
