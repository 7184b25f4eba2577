import assert from "node:assert/strict";
import { EVENT_TYPES } from "../../supabase/functions/sync-seats/undelivered_events.ts";
import { only, type Transaction, withTransaction } from "./connection.ts";
import { makeOrganization, numbersOf, type Organization } from "./organizations.ts";
import { randomId } from "./random_id.ts";
import { applyStripeEvent } from "./stripe_deliveries.ts";
import {
  type Buyer,
  inState,
  second,
  stripeEvent,
  stripeInvoice,
  stripeSession,
  stripeSubscription,
} from "./stripe_events.ts";
import { makeBuyer, report } from "./stripe_reports.ts";

Deno.test("an event of a customer who is nobody's is ignored by name", () =>
  withTransaction(async (sql) => {
    const organization = await makeOrganization(sql);
    const subscription = stripeSubscription(organization, second(0));

    const answer = await report(sql, subscription, { quantity: 5 }, 0);

    assert.deepEqual(answer, { outcome: "ignored", reason: "unknown_customer" });
    assert.equal((await numbersOf(sql, organization)).seatLimit, 0);
  }));

Deno.test("the ids that travel with an event are trusted only if the customer matches", () =>
  withTransaction(async (sql) => {
    const paying = await makeBuyer(sql);
    const other = await makeBuyer(sql);
    const mixed: Buyer = { id: other.id, stripeCustomerId: paying.stripeCustomerId };
    const subscription = stripeSubscription(mixed, second(0));
    const invoice = stripeInvoice(subscription, "paid");
    const session = stripeSession(mixed, subscription, { created: second(0) });

    const ignored = { outcome: "ignored", reason: "unknown_customer" };
    assert.deepEqual(await report(sql, subscription, { quantity: 5 }, 0), ignored);
    for (
      const event of [
        stripeEvent("checkout.session.completed", session, second(0)),
        stripeEvent("invoice.paid", invoice, second(0)),
      ]
    ) {
      assert.deepEqual(await applyStripeEvent(sql, event), ignored);
    }
    for (const organization of [paying, other]) {
      assert.equal((await numbersOf(sql, organization)).seatLimit, 0);
    }
  }));

Deno.test("a customer that Stripe has expanded is the same customer", () =>
  withTransaction(async (sql) => {
    const organization = await makeBuyer(sql);
    const subscription = stripeSubscription(organization, second(0));
    const customer = { id: organization.stripeCustomerId, object: "customer" };
    const shown = inState(subscription, { quantity: 5, status: "trialing" });
    const event = stripeEvent("customer.subscription.created", shown, second(0));

    const answer = await applyStripeEvent(
      sql,
      {
        ...event,
        data: { object: { ...shown, customer } },
      } as typeof event,
    );

    assert.equal(answer.seatLimit, 5);
  }));

Deno.test("a subscription does not move to another organization with its customer", () =>
  withTransaction(async (sql) => {
    const one = await makeBuyer(sql);
    const other = await makeBuyer(sql);
    const subscription = stripeSubscription(one, second(0));
    await report(sql, subscription, { quantity: 5 }, 0);

    const moved = { ...subscription, customer: other.stripeCustomerId, metadata: {} };
    const answer = await report(sql, moved, { quantity: 9 }, 60);

    assert.deepEqual([answer.outcome, answer.reason], ["ignored", "other_organization"]);
    assert.equal((await numbersOf(sql, one)).seatLimit, 5);
    assert.equal((await numbersOf(sql, other)).seatLimit, 0);
  }));

Deno.test("a subscription that sells no seats is ignored by name", () =>
  withTransaction(async (sql) => {
    const organization = await makeBuyer(sql);
    const subscription = stripeSubscription(organization, second(0), {});

    const state = { quantity: 5, lookupKey: "support_monthly" };
    const answer = await report(sql, subscription, state, 0);

    assert.deepEqual([answer.outcome, answer.reason], ["ignored", "no_seats_sold"]);
    assert.equal((await numbersOf(sql, organization)).seatLimit, 0);
  }));

Deno.test("of several items the one that sells seats counts, wherever it stands", () =>
  withTransaction(async (sql) => {
    for (const isFirst of [true, false]) {
      const organization = await makeBuyer(sql);
      const bare = inState(stripeSubscription(organization, second(0), {}), { quantity: 5 });
      const support = inState(bare, { quantity: 50, lookupKey: "support_monthly" }).items.data
        .map((item) => ({ ...item, id: randomId("si") }));
      const data = isFirst ? [...bare.items.data, ...support] : [...support, ...bare.items.data];
      const both = { ...bare, status: "trialing" as const, items: { ...bare.items, data } };

      const answer = await applyStripeEvent(
        sql,
        stripeEvent("customer.subscription.created", both, second(0)),
      );

      assert.equal(answer.seatLimit, 5);
    }
  }));

Deno.test("on a price that is not in the catalogue the plan is what the subscription says it is", () =>
  withTransaction(async (sql) => {
    const organization = await makeBuyer(sql);
    const subscription = stripeSubscription(organization, second(0), { plan: "max" });

    await report(sql, subscription, { quantity: 5, lookupKey: null }, 0);

    const { plan, seats } = await currentOf(sql, organization);
    assert.deepEqual([plan, seats], ["max", 5]);
  }));

Deno.test("the late events of a canceled subscription change nothing in its successor", () =>
  withTransaction(async (sql) => {
    const organization = await makeBuyer(sql);
    const former = stripeSubscription(organization, second(0));
    const current = stripeSubscription(organization, second(100));
    await report(sql, former, { quantity: 5 }, 0);
    await report(sql, former, { quantity: 5, status: "canceled" }, 90);
    await report(sql, current, { quantity: 3 }, 100);
    const before = await currentOf(sql, organization);

    const stale = await report(sql, former, { quantity: 9 }, 50);
    const later = await report(sql, former, { quantity: 8, status: "canceled" }, 200);

    assert.deepEqual([stale.outcome, later.outcome], ["stale", "applied"]);
    assert.deepEqual(await currentOf(sql, organization), before);
    assert.equal((await numbersOf(sql, organization)).seatLimit, 3);
  }));

Deno.test("an older subscription is not lost while a newer one is not paid", () =>
  withTransaction(async (sql) => {
    const organization = await makeBuyer(sql);
    const former = stripeSubscription(organization, second(0));
    const next = stripeSubscription(organization, second(100));
    await report(sql, former, { quantity: 5 }, 0);

    await report(sql, next, { quantity: 9, status: "incomplete" }, 100);
    assert.equal((await numbersOf(sql, organization)).seatLimit, 5);
    assert.equal((await currentOf(sql, organization)).subscription, former.id);
  }));

Deno.test("two subscriptions that are alive are one too many: the newer counts, and it is said", () =>
  withTransaction(async (sql) => {
    const organization = await makeBuyer(sql);
    const former = stripeSubscription(organization, second(0));
    const next = stripeSubscription(organization, second(100));
    await report(sql, next, { quantity: 9 }, 100);

    const answer = await report(sql, former, { quantity: 5 }, 110);

    assert.deepEqual([answer.seatLimit, answer.alert], [9, "several_subscriptions"]);
    assert.equal((await currentOf(sql, organization)).subscription, next.id);
    const ended = await report(sql, former, { quantity: 5, status: "canceled" }, 120);
    assert.equal(ended.alert, undefined);
  }));

interface Current {
  readonly subscription: string;
  readonly plan: string;
  readonly seats: number;
  readonly status: string;
}

async function currentOf(sql: Transaction, { id }: Organization): Promise<Current> {
  return only(
    await sql<Current[]>`
      select stripe_seat_subscription_id as subscription, plan, purchased_seats as seats, status
      from public.organization_subscriptions where organization_id = ${id}`,
  );
}

Deno.test("an event of a type that is none of ours is ignored by name, and not in the ledger", () =>
  withTransaction(async (sql) => {
    const organization = await makeBuyer(sql);
    const subscription = stripeSubscription(organization, second(0));
    const event = stripeEvent("customer.subscription.trial_will_end", subscription, second(0));

    const answer = await applyStripeEvent(sql, event);

    assert.deepEqual(answer, { outcome: "ignored", reason: "unhandled_type" });
    const ledger = await sql`select from private.webhook_events where event_id = ${event.id}`;
    assert.equal(ledger.length, 0);
  }));

Deno.test("sync-seats asks Stripe for the types of events that are worked off, and no others", () =>
  withTransaction(async (sql) => {
    const types = await sql<{ type: string }[]>`
      select found[1] as type
      from pg_catalog.pg_proc, regexp_matches(prosrc, $$'([a-z_]+[.][a-z_.]+)'$$, 'g') as found
      where oid = 'public.apply_stripe_event(jsonb, jsonb)'::regprocedure`;
    assert.deepEqual(types.map(({ type }) => type).sort(), EVENT_TYPES.toSorted());
  }));
