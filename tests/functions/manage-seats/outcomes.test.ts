import assert from "node:assert/strict";
import type { FaultInput } from "../../../local/emulation/faults.ts";
import { stackEnv } from "../../stack.ts";
import { assertRefused } from "../api.ts";
import { connect } from "../clients.ts";
import { settled } from "../organizations.ts";
import { addFault, countRequests } from "../requests.ts";
import { logged } from "../served_function.ts";
import { assertAgreement, sweep } from "./agreement.ts";
import { withSentry } from "./proxy.ts";
import { changesOf, clickChange, createSubscriber, subscriptionOf } from "./seats.ts";
import { BEFORE, behindProxy, onUpdate, WISHES } from "./wishes.ts";

const clients = connect(stackEnv());
const { stripeControl } = clients;

const REFUSAL: Omit<FaultInput, "match"> = {
  kind: "fail",
  status: 400,
  body: {
    error: { type: "invalid_request_error", code: "resource_missing", message: "No such sk_1" },
  },
};

for (const verdict of ["drop", "lose_answer"] as const) {
  Deno.test(`while the database is down (${verdict}) Stripe is not called, and the same key goes on later`, () =>
    behindProxy(
      clients,
      () => verdict,
      async ({ base }, proxy) => {
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
      },
    ));
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
        clients,
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
      clients,
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
