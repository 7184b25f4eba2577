import assert from "node:assert/strict";
import type { FaultInput } from "../../../local/emulation/faults.ts";
import { stackEnv } from "../../stack.ts";
import { type Answer, assertRefused, callFunction, functionsOf } from "../api.ts";
import { connect } from "../clients.ts";
import { settled } from "../organizations.ts";
import { addFault, countRequests } from "../requests.ts";
import { logged, type ServedFunction, withFunction } from "../served_function.ts";
import { type Judge, type Proxy, type Verdict, withProxy, withSentry } from "./proxy.ts";
import {
  type Change,
  changesOf,
  clickChange,
  createSubscriber,
  laterInvoices,
  seatsOf,
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

interface Expected {
  readonly purchased: number;
  readonly renewal: number;
  readonly invoices: number;
}

/** Asserts that Stripe and Postgres agree, on this, and that nothing was charged twice. */
async function assertAgreement(
  subscriber: Subscriber,
  { purchased, renewal, invoices }: Expected,
): Promise<void> {
  assert.deepEqual(await seatsOf(clients, subscriber), { plan: "pro", purchased, renewal });
  const { quantity } = await subscriptionOf(clients, subscriber);
  assert.equal(quantity, renewal);
  assert.equal((await laterInvoices(clients, subscriber)).length, invoices);
}

/** One sweep of an organization; resolves to the kinds of what had drifted. */
async function sweep({ id, token }: Subscriber): Promise<string[]> {
  const { status, body } = await callFunction<{ data: { drift: { kind: string }[] } }>(
    functionsOf(clients),
    "sync-seats",
    { token, body: { organizationId: id } },
  );
  assert.equal(status, 200, JSON.stringify(body));
  return body.data.drift.map(({ kind }) => kind);
}

/** Loses all webhooks about a subscription from now on. */
async function loseWebhooks({ subscriptionId }: Subscriber): Promise<void> {
  await stripeControl.addPolicy({ contains: subscriptionId, kind: "drop", times: 0 });
}

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
  await loseWebhooks(subscriber);
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
        await assertAgreement(subscriber, after);
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
    await assertAgreement(subscriber, BEFORE);
    assert.deepEqual((await changesOf(clients, subscriber)).map(({ state }) => state), ["failed"]);
    const [row] = await clients.sql`select error from public.seat_changes
      where id = ${String(seatChangeId)}`;
    assert.match(row?.["error"], /resource_missing/);
    assert.doesNotMatch(row?.["error"], /sk_1/);
    // The same key is the same change, which has failed; a new one tries again.
    const again = await clickChange(clients, subscriber, wish, key);
    assert.equal(again.body.state, "failed");
    assert.equal((await clickChange(clients, subscriber, wish)).status, 200);
    assert.deepEqual(await sweep(subscriber), []);
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

          assert.deepEqual(await sweep(subscriber), ["seat_change"]);

          await assertAgreement(subscriber, BEFORE);
          assert.deepEqual((await changesOf(clients, subscriber)).map(({ state }) => state), [
            "failed",
          ]);
          assert.deepEqual(await sweep(subscriber), []);
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
        assert.deepEqual(await sweep(subscriber), ["seat_change"]);
        await assertAgreement(subscriber, BEFORE);
        assert.deepEqual(await sweep(subscriber), []);
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
      await loseWebhooks(subscriber);
      const struck = await addFault(stripeControl, { ...fault, match: onUpdate(subscriber) });
      const key = crypto.randomUUID();

      const first = await clickChange(clients, subscriber, wish, key);

      assert.equal(await struck.hits(), fault.times);
      if (fault.times === 1) assert.equal(first.status, 200);
      else assertRefused(first, 503, "stripe_unavailable");
      const again = await clickChange(clients, subscriber, wish, key);
      assert.equal(again.status, 200, JSON.stringify(again.body));
      await assertAgreement(subscriber, after);
      assert.deepEqual(await sweep(subscriber), []);
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
        await assertAgreement(subscriber, after);
        assert.deepEqual(await sweep(subscriber), []);
      }));

    Deno.test(`when Stripe's answer to ${wish.seats} seats is gone (${verdict}) and nobody asks again, one sweep brings agreement`, () =>
      behindStripeProxy(verdict, async ({ base }, subscriber) => {
        const first = await clickChange(clients, subscriber, wish, "lost", base);
        assertRefused(first, 503, "stripe_unavailable");

        assert((await sweep(subscriber)).includes("seat_change"));

        await assertAgreement(subscriber, expected);
        assert.deepEqual(await sweep(subscriber), []);
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
          await loseWebhooks(subscriber);
          const key = crypto.randomUUID();
          const first = await clickChange(clients, subscriber, wish, key, base);
          assertRefused(first, 503, "database_unavailable");

          proxy.verdictOf = () => "pass";
          const again = await clickChange(clients, subscriber, wish, key, base);

          assert.equal(again.status, 200, JSON.stringify(again.body));
          await assertAgreement(subscriber, after);
          assert.deepEqual(await sweep(subscriber), []);
        },
      ));
  }

  for (
    const [where, name, verdict, expected] of [
      ["before the intent is written", "start_seat_change", "hold", BEFORE],
      ["after the intent is written", "start_seat_change", "hold_answer", BEFORE],
      ["after Stripe has answered", "settle_seat_change", "hold", after],
      ["after the end is written", "settle_seat_change", "hold_answer", after],
    ] as const
  ) {
    Deno.test(`killed ${where}, a change to ${wish.seats} agrees after one sweep`, async () => {
      const subscriber = await createSubscriber(clients);
      await loseWebhooks(subscriber);
      let click: Promise<Answer<Change> | void> | undefined;
      await withProxy(
        env.SUPABASE_URL,
        (asked) => asked === name ? verdict : "pass",
        async (proxy) => {
          await withFunction(
            clients,
            "manage-seats",
            { SUPABASE_URL: proxy.url },
            async (served) => {
              click = clickChange(clients, subscriber, wish, "killed", served.base).catch(() => {});
              await proxy.holding;
            },
          );
          // The process is gone by now, and with it whoever waited for its answer.
          await click;
        },
      );

      const drift = await sweep(subscriber);

      await assertAgreement(subscriber, expected);
      const left = name === "start_seat_change" ? verdict === "hold_answer" : verdict === "hold";
      assert.equal(drift.includes("seat_change"), left);
      assert.deepEqual(await sweep(subscriber), []);
      for (const { state } of await changesOf(clients, subscriber)) {
        assert(["completed", "scheduled", "failed"].includes(state), state);
      }
      assert.equal((await clickChange(clients, subscriber, { seats: 4 })).status, 200);
    });
  }

  Deno.test(`killed while Stripe is at work, a change to ${wish.seats} agrees after one sweep`, async () => {
    const subscriber = await createSubscriber(clients);
    await loseWebhooks(subscriber);
    const slow = await addFault(stripeControl, {
      kind: "delay",
      delayMs: 1500,
      match: onUpdate(subscriber),
    });
    let click: Promise<unknown> = Promise.resolve();
    await withFunction(clients, "manage-seats", {}, async ({ base }) => {
      click = clickChange(clients, subscriber, wish, "killed", base).catch(() => {});
      await slow.struck(1);
    });
    await click;
    // Stripe goes on without anybody who listens.
    while ((await subscriptionOf(clients, subscriber)).quantity !== wish.seats);

    assert((await sweep(subscriber)).includes("seat_change"));

    await assertAgreement(subscriber, after);
    assert.deepEqual(await sweep(subscriber), []);
  });
}

Deno.test("a payment that is awaited when the process is killed is granted once it is paid", async () => {
  const subscriber = await createSubscriber(clients);
  const { id: card } = await clients.stripe.paymentMethods.attach("pm_card_chargeCustomerFail", {
    customer: subscriber.customerId,
  });
  await clients.stripe.subscriptions.update(subscriber.subscriptionId, {
    default_payment_method: card,
  });
  await withProxy(
    env.SUPABASE_URL,
    (asked) => asked === "settle_seat_change" ? "hold" : "pass",
    async (proxy) => {
      let click: Promise<unknown> = Promise.resolve();
      await withFunction(clients, "manage-seats", { SUPABASE_URL: proxy.url }, async (served) => {
        click = clickChange(clients, subscriber, { seats: 9 }, "killed", served.base)
          .catch(() => {});
        await proxy.holding;
      });
      await click;
    },
  );
  await settled(clients, subscriber.subscriptionId);

  // The same key again finds the page to pay on, which no event names.
  const { status, body } = await clickChange(clients, subscriber, { seats: 9 }, "killed");
  assert.deepEqual([status, body.state], [202, "awaiting_payment"]);
  const [invoice] = await laterInvoices(clients, subscriber);
  assert.equal(body.paymentUrl, invoice?.hosted_invoice_url);

  await stripeControl.payHostedInvoice(invoice?.id ?? "");
  await settled(clients, subscriber.subscriptionId);
  await assertAgreement(subscriber, { purchased: 9, renewal: 9, invoices: 1 });
});
