import assert from "node:assert/strict";
import type { FaultInput } from "../../../local/emulation/faults.ts";
import { stackEnv } from "../../stack.ts";
import { assertRefused } from "../api.ts";
import { connect } from "../clients.ts";
import { settled } from "../organizations.ts";
import { addFault, countRequests } from "../requests.ts";
import { logged, type ServedFunction, withFunction } from "../served_function.ts";
import { assertAgreement, loseWebhooks, sweep } from "./agreement.ts";
import { type Judge, type Proxy, type Verdict, withProxy, withSentry } from "./proxy.ts";
import {
  changesOf,
  clickChange,
  createSubscriber,
  type Subscriber,
  subscriptionOf,
} from "./seats.ts";

const clients = connect(stackEnv());
const { env, stripeControl } = clients;

/** More seats, and fewer: what is wanted, and what is paid for then and at renewal. */
const WISHES = [
  { wish: { seats: 9 }, purchased: 9, renewal: 9, invoices: 1 },
  { wish: { seats: 3 }, purchased: 5, renewal: 3, invoices: 0 },
] as const;

const BEFORE = { purchased: 5, renewal: 5, invoices: 0 } as const;

/** Runs with manage-seats on the other side of a proxy. */
function behindProxy(
  verdictOf: Judge,
  run: (served: ServedFunction, proxy: Proxy) => Promise<void>,
  settings: Record<string, string> = {},
): Promise<void> {
  return withProxy(env.SUPABASE_URL, verdictOf, (proxy) =>
    withFunction(
      clients,
      "manage-seats",
      { SUPABASE_URL: proxy.url, ...settings },
      (served) => run(served, proxy),
    ));
}

/** Runs with manage-seats, whose changes at Stripe get lost, and a subscriber without webhooks. */
async function behindStripeProxy(
  verdict: Verdict,
  run: (served: ServedFunction, subscriber: Subscriber) => Promise<void>,
): Promise<void> {
  const subscriber = await createSubscriber(clients);
  await loseWebhooks(clients, subscriber);
  const judge: Judge = (name, method) =>
    method === "POST" && name === subscriber.subscriptionId ? verdict : "pass";
  await withProxy(
    env.STRIPE_API_BASE,
    judge,
    ({ url }) =>
      withFunction(
        clients,
        "manage-seats",
        { STRIPE_API_BASE: url },
        (served) => run(served, subscriber),
      ),
  );
}

function onUpdate({ subscriptionId }: Subscriber): FaultInput["match"] {
  return { method: "POST", path: `^/v1/subscriptions/${subscriptionId}$` };
}

const REFUSAL: Omit<FaultInput, "match"> = {
  kind: "fail",
  status: 400,
  body: {
    error: { type: "invalid_request_error", code: "resource_missing", message: "No such sk_1" },
  },
};

for (const verdict of ["drop", "lose_answer"] as const) {
  Deno.test(`while the database is down (${verdict}) Stripe is not called, and the same key goes on later`, () =>
    behindProxy(() => verdict, async ({ base }, proxy) => {
      for (const { wish, ...after } of WISHES) {
        proxy.verdictOf = () => verdict;
        const subscriber = await createSubscriber(clients);
        const requests = await countRequests(stripeControl, onUpdate(subscriber));
        const key = crypto.randomUUID();

        const answer = await clickChange(clients, subscriber, wish, key, base);

        assertRefused(answer, 503, "database_unavailable");
        assert.equal(answer.headers.get("retry-after"), "5");
        assert.equal(await requests.hits(), 0);
        assert.equal((await subscriptionOf(clients, subscriber)).quantity, 5);

        proxy.verdictOf = () => "pass";
        const again = await clickChange(clients, subscriber, wish, key, base);
        assert.equal(again.status, 200, JSON.stringify(again.body));
        await settled(clients, subscriber.subscriptionId);
        await assertAgreement(clients, subscriber, after);
      }
    }));
}

for (const { wish } of WISHES) {
  Deno.test(`when Stripe refuses ${wish.seats} seats everything is as before`, async () => {
    const subscriber = await createSubscriber(clients);
    await addFault(stripeControl, { ...REFUSAL, match: onUpdate(subscriber) });
    const key = crypto.randomUUID();

    const answer = await clickChange(clients, subscriber, wish, key);

    const { seatChangeId } = assertRefused(answer, 409, "stripe_refused_change");
    await assertAgreement(clients, subscriber, BEFORE);
    assert.deepEqual((await changesOf(clients, subscriber)).map(({ state }) => state), ["failed"]);
    const [row] = await clients.sql`select error from public.seat_changes
      where id = ${String(seatChangeId)}`;
    assert.match(row?.["error"], /resource_missing/);
    assert.doesNotMatch(row?.["error"], /sk_1/);
    // The same key is the same change, which has failed; a new one tries again.
    const again = await clickChange(clients, subscriber, wish, key);
    assert.equal(again.body.state, "failed");
    assert.equal((await clickChange(clients, subscriber, wish)).status, 200);
    assert.deepEqual(await sweep(clients, subscriber), []);
  });

  Deno.test(`when Stripe refuses ${wish.seats} seats and the rollback fails, people are told and one sweep repairs it`, () =>
    withSentry(({ dsn, events }) =>
      behindProxy(
        (name) => name === "settle_seat_change" ? "drop" : "pass",
        async (served) => {
          const subscriber = await createSubscriber(clients);
          await addFault(stripeControl, { ...REFUSAL, match: onUpdate(subscriber) });

          const answer = await clickChange(clients, subscriber, wish, "stuck", served.base);

          const { seatChangeId } = assertRefused(answer, 503, "change_stuck");
          assert.deepEqual((await changesOf(clients, subscriber)).map(({ state }) => state), [
            "stuck",
          ]);
          assert.equal(events.length, 1);
          const [{ level, message, extra } = { level: "", message: "", extra: {} }] = events;
          assert.deepEqual([level, message], ["fatal", "seat change stuck"]);
          const fields = { ...extra };
          const [line] = logged(served, "alert");
          for (const told of [fields, line ?? {}] as Record<string, unknown>[]) {
            assert.deepEqual(
              [told["organizationId"], told["seatChangeId"], told["seatsBefore"], told["seats"]],
              [subscriber.id, seatChangeId, 5, wish.seats],
            );
            assert.match(String(told["refusal"]), /resource_missing/);
            assert.match(String(told["cause"]), /database_unavailable|ApiError/);
          }
          const busy = await clickChange(clients, subscriber, { seats: 7 });
          assertRefused(busy, 409, "change_in_progress");

          assert.deepEqual(await sweep(clients, subscriber), ["seat_change"]);

          await assertAgreement(clients, subscriber, BEFORE);
          assert.deepEqual((await changesOf(clients, subscriber)).map(({ state }) => state), [
            "failed",
          ]);
          assert.deepEqual(await sweep(clients, subscriber), []);
          assert.equal((await clickChange(clients, subscriber, wish)).status, 200);
        },
        { SENTRY_DSN: dsn },
      )
    ));

  Deno.test(`when Stripe refuses ${wish.seats} seats and the whole database is gone, one sweep repairs it`, () =>
    behindProxy(
      (name) => name === "start_seat_change" ? "pass" : "drop",
      async (served) => {
        const subscriber = await createSubscriber(clients);
        await addFault(stripeControl, { ...REFUSAL, match: onUpdate(subscriber) });

        const answer = await clickChange(clients, subscriber, wish, "stuck", served.base);

        assertRefused(answer, 503, "change_stuck");
        assert.equal(logged(served, "alert").length, 1);
        assert.deepEqual(await sweep(clients, subscriber), ["seat_change"]);
        await assertAgreement(clients, subscriber, BEFORE);
        assert.deepEqual(await sweep(clients, subscriber), []);
      },
    ));
}

/** How often the function's Stripe client tries a request that gets no answer. */
const TRIES = 3;

for (const { wish, ...after } of WISHES) {
  for (
    const [what, fault] of [
      ["is lost, and found by the client's retry", { kind: "lose_answer", times: 1 }],
      ["never comes", { kind: "drop", times: TRIES }],
      ["is an outage", { kind: "fail", status: 503, times: TRIES }],
      ["is that the key is at work already", { kind: "fail", status: 409, times: TRIES }],
    ] satisfies [string, Omit<FaultInput, "match">][]
  ) {
    Deno.test(`when Stripe's answer to ${wish.seats} seats ${what}, the same key charges once`, async () => {
      const subscriber = await createSubscriber(clients);
      await loseWebhooks(clients, subscriber);
      const struck = await addFault(stripeControl, { ...fault, match: onUpdate(subscriber) });
      const key = crypto.randomUUID();

      const first = await clickChange(clients, subscriber, wish, key);

      assert.equal(await struck.hits(), fault.times);
      if (fault.times === 1) assert.equal(first.status, 200);
      else assertRefused(first, 503, "stripe_unavailable");
      const again = await clickChange(clients, subscriber, wish, key);
      assert.equal(again.status, 200, JSON.stringify(again.body));
      await assertAgreement(clients, subscriber, after);
      assert.deepEqual(await sweep(clients, subscriber), []);
    });
  }

  for (const [verdict, expected] of [["lose_answer", after], ["drop", BEFORE]] as const) {
    Deno.test(`when Stripe's answer to ${wish.seats} seats is gone for good (${verdict}), the same key charges once`, () =>
      behindStripeProxy(verdict, async ({ base }, subscriber) => {
        const key = crypto.randomUUID();
        const first = await clickChange(clients, subscriber, wish, key, base);
        assertRefused(first, 503, "stripe_unavailable");

        const again = await clickChange(clients, subscriber, wish, key);

        assert.equal(again.status, 200, JSON.stringify(again.body));
        await assertAgreement(clients, subscriber, after);
        assert.deepEqual(await sweep(clients, subscriber), []);
      }));

    Deno.test(`when Stripe's answer to ${wish.seats} seats is gone (${verdict}) and nobody asks again, one sweep brings agreement`, () =>
      behindStripeProxy(verdict, async ({ base }, subscriber) => {
        const first = await clickChange(clients, subscriber, wish, "lost", base);
        assertRefused(first, 503, "stripe_unavailable");

        assert((await sweep(clients, subscriber)).includes("seat_change"));

        await assertAgreement(clients, subscriber, expected);
        assert.deepEqual(await sweep(clients, subscriber), []);
        const [ended] = await changesOf(clients, subscriber);
        const made = wish.seats === 9 ? "completed" : "scheduled";
        assert.equal(ended?.state, verdict === "drop" ? "failed" : made);
      }));
  }

  for (const verdict of ["drop", "lose_answer"] as const) {
    Deno.test(`when Stripe has made ${wish.seats} seats and the database goes down (${verdict}), the same key goes on`, () =>
      behindProxy(
        (name) => name === "settle_seat_change" ? verdict : "pass",
        async ({ base }, proxy) => {
          const subscriber = await createSubscriber(clients);
          await loseWebhooks(clients, subscriber);
          const key = crypto.randomUUID();
          const first = await clickChange(clients, subscriber, wish, key, base);
          assertRefused(first, 503, "database_unavailable");

          proxy.verdictOf = () => "pass";
          const again = await clickChange(clients, subscriber, wish, key, base);

          assert.equal(again.status, 200, JSON.stringify(again.body));
          await assertAgreement(clients, subscriber, after);
          assert.deepEqual(await sweep(clients, subscriber), []);
        },
      ));
  }
}
