import assert from "node:assert/strict";
import { Hono } from "hono";
import { EmulatorControl } from "../../../local/emulation/control.ts";
import { Deliveries } from "../../../local/emulation/deliveries.ts";
import { deliveryRoutes } from "../../../local/emulation/delivery_routes.ts";
import type { DeliveriesState } from "../../../local/emulation/delivery_records.ts";
import { listen } from "../../../local/emulation/listener.ts";
import { type Receiver, startReceiver } from "./receiver.ts";

interface Outbox {
  state: DeliveriesState;
  control: EmulatorControl;
  receiver: Receiver;
  send: (eventId: string, type?: string) => void;
}

async function withOutbox(
  run: (outbox: Outbox) => Promise<void>,
  options: { retryScheduleMs?: number[]; timeoutMs?: number; state?: DeliveriesState } = {},
): Promise<void> {
  const receiver = await startReceiver();
  const state = options.state ?? { deliveries: [] };
  for (const delivery of state.deliveries) delivery.url = receiver.url;
  let signatures = 0;
  const deliveries = new Deliveries({
    state,
    changed: () => {},
    sign: ({ eventId, secretRef }) => ({
      "x-id": eventId,
      "x-signature": `${secretRef} ${++signatures}`,
    }),
    retryScheduleMs: options.retryScheduleMs ?? [0, 10, 10],
    timeoutMs: options.timeoutMs ?? 5000,
  });
  const app = new Hono().route("/_emulator/deliveries", deliveryRoutes(deliveries));
  const listener = await listen(app.fetch);
  const send = (eventId: string, type = "thing.created") =>
    deliveries.enqueue({
      endpointUrl: receiver.url,
      secretRef: "secret",
      eventId,
      type,
      payload: JSON.stringify({ eventId }),
    });
  try {
    await run({ state, control: new EmulatorControl(listener.url), receiver, send });
  } finally {
    await deliveries.close();
    await listener.close();
    await receiver.close();
  }
}

function ids(receiver: Receiver): (string | null)[] {
  return receiver.received.map(({ headers }) => headers.get("x-id"));
}

Deno.test("a delivery reaches its endpoint signed, and settles", () =>
  withOutbox(async ({ control, receiver, send }) => {
    send("evt_1");
    await control.settle({ contains: "evt_1" });
    const [delivery] = await control.deliveries();
    assert.equal(delivery?.state, "delivered");
    assert.deepEqual(delivery.attempts.map(({ status }) => status), [200]);
    assert.equal(receiver.received[0]?.body, '{"eventId":"evt_1"}');
    assert.equal(receiver.received[0]?.headers.get("x-signature"), "secret 1");
    assert.equal(receiver.received[0]?.headers.get("content-type"), "application/json");
  }));

Deno.test("an attempt that fails is tried again, signed anew, under the same id", () =>
  withOutbox(async ({ control, receiver, send }) => {
    receiver.answers.push(500, 302);
    send("evt_1");
    await control.settle();
    const [delivery] = await control.deliveries();
    assert.deepEqual(delivery?.attempts.map(({ status }) => status), [500, 302, 200]);
    assert.equal(delivery?.state, "delivered");
    assert.deepEqual(ids(receiver), ["evt_1", "evt_1", "evt_1"]);
    const signatures = receiver.received.map(({ headers }) => headers.get("x-signature"));
    assert.equal(new Set(signatures).size, 3);
  }));

Deno.test("a delivery fails once its schedule is used up", () =>
  withOutbox(async ({ control, receiver, send }) => {
    receiver.answers.push(500, 500, 500);
    send("evt_1");
    await control.settle();
    const [delivery] = await control.deliveries();
    assert.equal(delivery?.state, "failed");
    assert.equal(delivery.attempts.length, 3);
  }));

Deno.test("an endpoint that never answers runs into the timeout", async () => {
  const silent = await listen(() => new Promise<Response>(() => {}));
  const deliveries = new Deliveries({
    state: { deliveries: [] },
    changed: () => {},
    sign: () => ({}),
    retryScheduleMs: [0],
    timeoutMs: 50,
  });
  deliveries.enqueue({
    endpointUrl: silent.url,
    secretRef: "",
    eventId: "evt_1",
    type: "t",
    payload: "{}",
  });
  assert.equal(await deliveries.settle({}, 5000), true);
  const [delivery] = deliveries.list();
  assert.equal(delivery?.state, "failed");
  assert.match(delivery.attempts[0]?.error ?? "", /Timeout/);
  await deliveries.close();
  await silent.close();
});

Deno.test("settling times out while a retry is waiting, and retry() makes it due", () =>
  withOutbox(async ({ control, receiver, send }) => {
    receiver.answers.push(500);
    send("evt_1");
    while ((await control.deliveries())[0]?.attempts.length !== 1);
    await assert.rejects(control.settle({ timeoutMs: 1 }), /408/);
    assert.equal(await control.retry({ contains: "evt_1" }), 1);
    await control.settle();
    const [delivery] = await control.deliveries();
    assert.equal(delivery?.state, "delivered");
  }, { retryScheduleMs: [0, 3_600_000] }));

Deno.test("a drop policy loses what it matches, as often as it says", () =>
  withOutbox(async ({ control, receiver, send }) => {
    await control.addPolicy({ kind: "drop", contains: "evt_1", times: 1 });
    send("evt_1");
    send("evt_2");
    send("evt_1");
    await control.settle();
    const settled = await control.deliveries();
    assert.deepEqual(settled.map(({ state }) => state), ["dropped", "delivered", "delivered"]);
    assert.deepEqual(ids(receiver).sort(), ["evt_1", "evt_2"]);
  }));

Deno.test("a policy with a share strikes at random, and with the same seed the same again", () =>
  withOutbox(async ({ control, send }) => {
    const lost: (readonly string[])[] = [];
    for (const seed of [7, 7, 8]) {
      const policy = await control.addPolicy({ kind: "drop", times: 0, share: 0.25, seed });
      const run = `run${lost.length}`;
      for (let n = 0; n < 100; n++) send(`${run} ${n}`);
      const dropped = await control.deliveries({ contains: run, status: "dropped" });
      lost.push(dropped.map(({ eventId }) => eventId.slice(run.length)));
      assert.deepEqual((await control.policies()).map(({ asked, hits }) => [asked, hits]), [
        [100, dropped.length],
      ]);
      await control.removePolicy(policy);
    }
    const [first, again, other] = lost;
    assert.deepEqual(again, first);
    assert.notDeepEqual(other, first);
    for (const { length } of lost) assert(length > 10 && length < 45, `${length} of 100 were lost`);
    await control.settle();
  }));

Deno.test("a duplicate policy sends copies of the same event", () =>
  withOutbox(async ({ control, receiver, send }) => {
    await control.addPolicy({ kind: "duplicate", type: "thing.created", copies: 2 });
    send("evt_1", "thing.created");
    send("evt_2", "thing.deleted");
    await control.settle();
    assert.deepEqual(ids(receiver).sort(), ["evt_1", "evt_1", "evt_1", "evt_2"]);
  }));

Deno.test("held deliveries wait until they are released, in the order asked for", () =>
  withOutbox(async ({ control, receiver, send }) => {
    const policy = await control.addPolicy({ kind: "hold", times: 0 });
    for (const id of ["evt_1", "evt_2", "evt_3"]) send(id);
    await control.removePolicy(policy);
    send("evt_4");
    await control.settle();
    const settled = await control.deliveries();
    assert.deepEqual(
      settled.map(({ state }) => state),
      ["held", "held", "held", "delivered"],
    );
    assert.deepEqual((await control.replay({ contains: "evt_2" })).length, 0);
    const released = await control.release({ order: "lifo" });
    assert.deepEqual(released.map(({ state }) => state), Array(3).fill("delivered"));
    assert.deepEqual(ids(receiver), ["evt_4", "evt_3", "evt_2", "evt_1"]);
  }));

Deno.test("a delay policy lets later events pass", () =>
  withOutbox(async ({ control, receiver, send }) => {
    await control.addPolicy({ kind: "delay", contains: "evt_1", delayMs: 3_600_000 });
    send("evt_1");
    send("evt_2");
    await control.settle({ contains: "evt_2" });
    assert.deepEqual(ids(receiver), ["evt_2"]);
    await control.retry();
    await control.settle();
    assert.deepEqual(ids(receiver), ["evt_2", "evt_1"]);
  }));

Deno.test("a replay sends every past event again, lost ones too, and tells the answers", () =>
  withOutbox(async ({ control, receiver, send }) => {
    await control.addPolicy({ kind: "drop", contains: "evt_2" });
    send("evt_1");
    send("evt_2");
    await control.settle();
    receiver.answers.push(200, 503);
    const results = await control.replay({ times: 2 });
    assert.deepEqual(
      results.map(({ eventId, status }) => [eventId, status]),
      [["evt_1", 200], ["evt_2", 503], ["evt_1", 200], ["evt_2", 200]],
    );
    assert.deepEqual(ids(receiver), ["evt_1", "evt_1", "evt_2", "evt_1", "evt_2"]);
    assert.deepEqual((await control.deliveries()).map(({ state }) => state), [
      "delivered",
      "dropped",
    ]);
  }));

Deno.test("what was pending when the outbox closed is sent by the next one", async () => {
  const state: DeliveriesState = { deliveries: [] };
  await withOutbox(async ({ control, receiver, send }) => {
    receiver.answers.push(500);
    send("evt_1");
    while ((await control.deliveries())[0]?.attempts.length !== 1);
  }, { state, retryScheduleMs: [0, 200] });
  const saved = JSON.parse(JSON.stringify(state));
  await withOutbox(async ({ control, receiver }) => {
    await control.settle();
    const [delivery] = await control.deliveries();
    assert.equal(delivery?.state, "delivered");
    assert.deepEqual(ids(receiver), ["evt_1"]);
  }, { state: saved, retryScheduleMs: [0, 200] });
});

Deno.test("a control route refuses input that it does not know", () =>
  withOutbox(async ({ control }) => {
    await assert.rejects(control.request("POST", "/deliveries/policies", { kind: "lose" }), /400/);
    await assert.rejects(control.request("POST", "/deliveries/settle", { org: "x" }), /400/);
  }));
