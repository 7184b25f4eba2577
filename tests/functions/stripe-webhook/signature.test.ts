import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { stackEnv } from "../../stack.ts";
import { type Answer, assertRefused } from "../api.ts";
import { connect } from "../clients.ts";
import { createOrganization } from "../organizations.ts";
import { ledgerOutcome, numbersOf } from "../rows.ts";
import { withFunction } from "../served_function.ts";
import { deliver, deliverSigned, signatureOf } from "./deliveries.ts";
import { publishedEvent, publishedSubscription, randomToken } from "./published_events.ts";
import { customerOf } from "./subscriptions.ts";

const clients = connect(stackEnv());
const { env, sql } = clients;

/** How far a signature's time may be from ours, in seconds. */
const TOLERANCE = 300;

/** An event that would give an organization 9 seats, were it believed. */
async function temptingEvent() {
  const organization = await createOrganization(clients);
  const purchase = {
    organizationId: organization.id,
    customerId: await customerOf(clients, organization),
    subscriptionId: `sub_${randomToken()}`,
    at: Math.floor(Date.now() / 1000),
  };
  const object = publishedSubscription(purchase, 9, { status: "trialing" });
  const event = publishedEvent(purchase, "customer.subscription.created", object);
  return { organization, event, payload: JSON.stringify(event, null, 2) };
}

/** Asserts that what is sent is refused and leaves no row. */
async function assertForged(
  code: string,
  send: (payload: string) => Promise<Answer>,
): Promise<void> {
  const { organization, event, payload } = await temptingEvent();
  assertRefused(await send(payload), 400, code);
  assert.equal(await ledgerOutcome(sql, event.id), null);
  assert.equal((await numbersOf(sql, organization)).limit, 0);
}

/** The same with a header that is made from the payload. */
function assertForgedBy(headerOf: (payload: string) => string | Promise<string>): Promise<void> {
  return assertForged(
    "invalid_signature",
    async (payload) => deliver(clients, payload, { "stripe-signature": await headerOf(payload) }),
  );
}

const now = () => Math.floor(Date.now() / 1000);

Deno.test("what Stripe has signed is believed", async () => {
  const { organization, event, payload } = await temptingEvent();
  assert.equal((await deliverSigned(clients, payload)).status, 200);
  assert.equal(await ledgerOutcome(sql, event.id), "applied");
  assert.equal((await numbersOf(sql, organization)).limit, 9);
});

Deno.test("a signature among others that are wrong is believed", async () => {
  const { payload } = await temptingEvent();
  const [time, right] = (await signatureOf(clients, payload)).split(",");
  const wrong = `v1=${"0".repeat(64)}`;
  for (
    const header of [
      [time, wrong, right].join(","),
      [time, right, wrong].join(","),
      [time, "v0=abc", right].join(","),
      [right, time].join(","),
    ]
  ) {
    const { status } = await deliver(clients, payload, { "stripe-signature": header });
    assert.equal(status, 200, header);
  }
});

Deno.test("an event without a signature is refused", () =>
  assertForged("missing_signature", (payload) => deliver(clients, payload, {})));

Deno.test("a body that was changed is refused", () =>
  assertForged("invalid_signature", async (payload) => {
    const signature = await signatureOf(clients, payload);
    const changed = payload.replace('"quantity": 9', '"quantity": 8');
    assert.notEqual(changed, payload);
    return deliver(clients, changed, { "stripe-signature": signature });
  }));

Deno.test("a body that was written anew is refused", () =>
  assertForged("invalid_signature", async (payload) => {
    const signature = await signatureOf(clients, payload);
    const anew = JSON.stringify(JSON.parse(payload));
    return deliver(clients, anew, { "stripe-signature": signature });
  }));

Deno.test("a body with a byte more is refused", async () => {
  for (const more of ["\n", "\ufeff", "\0"]) {
    await assertForged("invalid_signature", async (payload) => {
      const signature = await signatureOf(clients, payload);
      return deliver(clients, more + payload, { "stripe-signature": signature });
    });
  }
});

for (
  const [what, secret] of [
    ["another secret", "whsec_anothersecretofanotherendpoint"],
    ["Clerk's secret", env.CLERK_WEBHOOK_SIGNING_SECRET],
    ["the API key", env.STRIPE_SECRET_KEY],
    ["the secret without its prefix", env.STRIPE_WEBHOOK_SECRET.replace("whsec_", "")],
  ] as const
) {
  Deno.test(`a signature by ${what} is refused`, () =>
    assertForgedBy((payload) => signatureOf(clients, payload, { secret })));
}

Deno.test("a signature by an empty secret is refused", () =>
  assertForgedBy((payload) => {
    const hmac = createHmac("sha256", "").update(`${now()}.${payload}`).digest("hex");
    return `t=${now()},v1=${hmac}`;
  }));

Deno.test(`a signature that is more than ${TOLERANCE} s old is refused`, () =>
  assertForgedBy((payload) => signatureOf(clients, payload, { timestamp: now() - TOLERANCE - 1 })));

Deno.test(`a signature that is more than ${TOLERANCE} s ahead is refused`, () =>
  // A second may go by before it is read.
  assertForgedBy((payload) =>
    signatureOf(clients, payload, { timestamp: now() + TOLERANCE + 10 })
  ));

Deno.test("a signature of almost that age is believed", async () => {
  for (const timestamp of [now() - TOLERANCE + 30, now() + TOLERANCE]) {
    const { payload } = await temptingEvent();
    assert.equal((await deliverSigned(clients, payload, { timestamp })).status, 200);
  }
});

Deno.test("a second time in the header is refused", () =>
  assertForgedBy(async (payload) => {
    const ahead = await signatureOf(clients, payload, { timestamp: now() + 10 * TOLERANCE });
    return `t=${now()},${ahead}`;
  }));

Deno.test("a signature for another time is refused", () =>
  assertForgedBy(async (payload) => {
    const [, signature] = (await signatureOf(clients, payload)).split(",");
    return `t=${now() - 5},${signature}`;
  }));

Deno.test("two signature headers are refused", () =>
  assertForged("invalid_signature", async (payload) => {
    const signature = await signatureOf(clients, payload);
    return deliver(clients, payload, [
      ["stripe-signature", signature],
      ["stripe-signature", signature],
    ]);
  }));

for (
  const [what, header] of [
    ["is empty", ""],
    ["is no signature", "hello"],
    ["has no time", `v1=${"0".repeat(64)}`],
    ["has a time that is no number", `t=now,v1=${"0".repeat(64)}`],
    ["has no signature", `t=${now()}`],
    ["has an empty signature", `t=${now()},v1=`],
    ["has a signature of an old scheme only", `t=${now()},v0=${"0".repeat(64)}`],
  ] as const
) {
  Deno.test(`a signature header that ${what} is refused`, () => assertForgedBy(() => header));
}

for (
  const [what, body] of [
    ["no event", "[]"],
    ["an event without a type", '{"id":"evt_1","created":1}'],
    ["an event without an id", '{"type":"invoice.paid","created":1}'],
    ["an event without a time", '{"id":"evt_1","type":"invoice.paid"}'],
  ] as const
) {
  Deno.test(`a signed body that is ${what} is refused`, async () => {
    assertRefused(await deliverSigned(clients, body), 400, "invalid_event");
  });
}

Deno.test("a body over the limit is refused, before its signature is looked at", async () => {
  const answer = await deliver(clients, " ".repeat(1024 * 1024 + 1), {});
  assertRefused(answer, 413, "body_too_large");
});

Deno.test("an event of a body's full size is taken in", async () => {
  const { payload, event } = await temptingEvent();
  assert.equal((await deliverSigned(clients, payload.padEnd(1024 * 1024))).status, 200);
  assert.equal(await ledgerOutcome(sql, event.id), "applied");
});

Deno.test("each of several secrets is believed while they rotate, and no other", async () => {
  const secrets = ["whsec_old", "whsec_new"];
  await withFunction(
    clients,
    "stripe-webhook",
    { STRIPE_WEBHOOK_SECRET: ` ${secrets.join(" , ")},` },
    async ({ base }) => {
      for (const secret of secrets) {
        const { payload } = await temptingEvent();
        assert.equal((await deliverSigned(clients, payload, { secret }, base)).status, 200);
      }
      await assertForged(
        "invalid_signature",
        (payload) => deliverSigned(clients, payload, {}, base),
      );
    },
  );
});

for (const [what, secret] of [["unset", undefined], ["empty", ""], ["blank", " , "]] as const) {
  Deno.test(`while the secret is ${what} the endpoint is closed`, () =>
    withFunction(clients, "stripe-webhook", { STRIPE_WEBHOOK_SECRET: secret }, async ({ base }) => {
      const { payload, event } = await temptingEvent();
      assertRefused(await deliverSigned(clients, payload, {}, base), 503, "endpoint_closed");
      const hmac = createHmac("sha256", "").update(`${now()}.${payload}`).digest("hex");
      const headers = { "stripe-signature": `t=${now()},v1=${hmac}` };
      assertRefused(await deliver(clients, payload, headers, base), 503, "endpoint_closed");
      assert.equal(await ledgerOutcome(sql, event.id), null);
    }));
}

for (const method of ["GET", "PUT", "OPTIONS"]) {
  Deno.test(`${method} is answered with the method to use, and no browser is let in`, async () => {
    const response = await fetch(`${env.SUPABASE_URL}/functions/v1/stripe-webhook`, { method });
    await response.body?.cancel();
    assert.equal(response.status, 405);
    assert.equal(response.headers.get("allow"), "POST");
    assert.equal(response.headers.get("access-control-allow-origin"), null);
  });
}
