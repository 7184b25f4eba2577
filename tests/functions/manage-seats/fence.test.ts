import assert from "node:assert/strict";
import { stackEnv } from "../../stack.ts";
import { assertRefused } from "../api.ts";
import { connect } from "../clients.ts";
import { addFault, HOLDUP_MS } from "../requests.ts";
import { withFunction } from "../served_function.ts";
import { assertAgreement, loseWebhooks, sweep } from "./agreement.ts";
import { withProxy } from "./proxy.ts";
import { changesOf, clickChange, createSubscriber, seatsOf, subscriptionOf } from "./seats.ts";

const clients = connect(stackEnv());
const { env, sql, stripe, stripeControl } = clients;

/** More seats, and fewer: what Postgres says while Stripe is asked, and both afterwards. */
const WISHES = [
  { wish: { seats: 9 }, meanwhile: 5, after: { purchased: 9, renewal: 9, invoices: 1 } },
  { wish: { seats: 3 }, meanwhile: 3, after: { purchased: 5, renewal: 3, invoices: 0 } },
];

for (const { wish, meanwhile, after } of WISHES) {
  Deno.test(`a sweep leaves ${wish.seats} seats alone while Stripe is at work on them`, async () => {
    const subscriber = await createSubscriber(clients);
    await loseWebhooks(clients, subscriber);
    const slow = await addFault(stripeControl, {
      kind: "delay",
      delayMs: HOLDUP_MS,
      match: { method: "POST", path: `^/v1/subscriptions/${subscriber.subscriptionId}$` },
    });
    const click = clickChange(clients, subscriber, wish);
    await slow.struck(1);

    assert.deepEqual(await sweep(clients, subscriber), []);

    assert.deepEqual((await changesOf(clients, subscriber)).map(({ state }) => state), ["open"]);
    assert.equal((await seatsOf(clients, subscriber)).renewal, meanwhile);
    await slow.remove();
    assert.equal((await click).status, 200);
    await assertAgreement(clients, subscriber, after);
    assert.deepEqual(await sweep(clients, subscriber), []);
  });

  Deno.test(`once a sweep has given ${wish.seats} seats up, Stripe takes the change from nobody`, async () => {
    const subscriber = await createSubscriber(clients);
    const { subscriptionId } = subscriber;
    await withProxy(
      env.STRIPE_API_BASE,
      (name, method) => method === "POST" && name === subscriptionId ? "drop" : "pass",
      ({ url }) =>
        withFunction(clients, "manage-seats", { STRIPE_API_BASE: url }, async ({ base }) => {
          const answer = await clickChange(clients, subscriber, wish, "late", base);
          assertRefused(answer, 503, "stripe_unavailable");
        }),
    );
    const { subscription } = await subscriptionOf(clients, subscriber);

    assert.deepEqual(await sweep(clients, subscriber), ["seat_change"]);

    const [change] = await sql<{ id: string; error: string }[]>`
      select id, error from public.seat_changes
      where organization_id = ${subscriber.id} and kind <> 'checkout'`;
    assert.equal(change?.error, "never_reached_stripe");
    // The request that was sent at first, and comes only now.
    const late = stripe.subscriptions.update(subscriptionId, {
      items: [{ id: subscription.items.data[0]?.id ?? "", quantity: wish.seats }],
      proration_behavior: "none",
    }, { idempotencyKey: `change-${change?.id}` });
    await assert.rejects(late, { type: "StripeIdempotencyError" });
    await assertAgreement(clients, subscriber, { purchased: 5, renewal: 5, invoices: 0 });
    assert.deepEqual(await sweep(clients, subscriber), []);
  });
}
