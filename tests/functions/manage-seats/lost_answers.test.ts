import assert from "node:assert/strict";
import type { FaultInput } from "../../../local/emulation/faults.ts";
import { stackEnv } from "../../stack.ts";
import { assertRefused } from "../api.ts";
import { connect } from "../clients.ts";
import { addFault } from "../requests.ts";
import { type ServedFunction, withFunction } from "../served_function.ts";
import { assertAgreement, loseWebhooks, sweep } from "./agreement.ts";
import { type Judge, type Verdict, withProxy } from "./proxy.ts";
import { changesOf, clickChange, createSubscriber, type Subscriber } from "./seats.ts";
import { BEFORE, behindProxy, onUpdate, WISHES } from "./wishes.ts";

const clients = connect(stackEnv());
const { env, stripeControl } = clients;

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
        clients,
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
