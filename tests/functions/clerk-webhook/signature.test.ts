import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { stackEnv } from "../../stack.ts";
import { type Answer, assertRefused } from "../api.ts";
import { connect } from "../clients.ts";
import { ledgerOutcome } from "../rows.ts";
import { withFunction } from "../served_function.ts";
import { deliver, deliverSigned, headersOf, newMessageId, type SvixHeaders } from "./deliveries.ts";
import { seatsOf } from "./people.ts";
import { membershipEvent, newCast } from "./published_events.ts";

const clients = connect(stackEnv());
const { env, sql } = clients;

/** How far a signature's time may be from ours, in seconds. */
const TOLERANCE = 300;

/** An event that would make an organization, were it believed. */
function temptingEvent() {
  const cast = newCast();
  const event = membershipEvent(cast, { what: "created", who: "owner", seconds: 0 });
  return { cast, payload: JSON.stringify(event, null, 2), id: newMessageId() };
}

/** Asserts that what is sent is refused and leaves no row. */
async function assertForged(
  code: string,
  send: (payload: string, id: string) => Promise<Answer>,
): Promise<void> {
  const { cast, payload, id } = temptingEvent();
  assertRefused(await send(payload, id), 400, code);
  assert.equal(await ledgerOutcome(sql, id), null);
  assert.equal(await seatsOf(sql, cast.organizationId), null);
}

/** The same with headers that are made from right ones. */
function assertForgedBy(change: (right: SvixHeaders, payload: string) => object): Promise<void> {
  return assertForged("invalid_signature", (payload, id) => {
    const right = headersOf(clients, payload, { id });
    return deliver(clients, payload, { ...right, ...change(right, payload) });
  });
}

const secondsFromNow = (seconds: number) => new Date(Date.now() + seconds * 1000);
const randomSecret = () => `whsec_${btoa(crypto.randomUUID())}`;

Deno.test("what Clerk has signed is believed, once", async () => {
  const { cast, payload, id } = temptingEvent();
  const first = await deliverSigned(clients, payload, { id });
  assert.deepEqual(first.body, { received: true, outcome: "applied" });
  assert.equal(await ledgerOutcome(sql, id), "applied");
  assert.deepEqual(await seatsOf(sql, cast.organizationId), { members: 1, invitations: 0 });

  const second = await deliverSigned(clients, payload, { id });
  assert.deepEqual(second.body, { received: true, outcome: "duplicate" });
});

Deno.test("a signature among others is believed", async () => {
  for (const others of [["v1,AAAA"], ["v1a,AAAA", "v2,AAAA"], ["", "v1"]]) {
    const { payload } = temptingEvent();
    const right = headersOf(clients, payload);
    const all = [...others, right["svix-signature"], ...others].join(" ");
    const { status } = await deliver(clients, payload, { ...right, "svix-signature": all });
    assert.equal(status, 200, all);
  }
});

for (const name of ["svix-id", "svix-timestamp", "svix-signature"] as const) {
  Deno.test(`an event without ${name} is refused`, () =>
    assertForged("missing_signature", (payload, id) => {
      const headers = new Headers({ ...headersOf(clients, payload, { id }) });
      headers.delete(name);
      return deliver(clients, payload, headers);
    }));

  Deno.test(`an event with ${name} twice is refused`, () =>
    assertForged("invalid_signature", (payload, id) => {
      const headers = new Headers({ ...headersOf(clients, payload, { id }) });
      const twice = headers.get(name) ?? "";
      headers.append(name, twice);
      return deliver(clients, payload, headers);
    }));

  Deno.test(`an event with an empty ${name} is refused`, () =>
    assertForgedBy(() => ({ [name]: "" })));
}

Deno.test("a body that was changed is refused", () =>
  assertForged("invalid_signature", (payload, id) => {
    const changed = payload.replace("org:admin", "org:owner");
    assert.notEqual(changed, payload);
    return deliver(clients, changed, { ...headersOf(clients, payload, { id }) });
  }));

Deno.test("a body that was written anew is refused", () =>
  assertForged(
    "invalid_signature",
    (payload, id) =>
      deliver(clients, JSON.stringify(JSON.parse(payload)), {
        ...headersOf(clients, payload, { id }),
      }),
  ));

Deno.test("a signature for another message id is refused", () =>
  assertForgedBy(() => ({ "svix-id": newMessageId() })));

Deno.test("a signature for another time is refused", () =>
  assertForgedBy((right) => ({ "svix-timestamp": String(Number(right["svix-timestamp"]) - 5) })));

for (
  const [what, secret] of [
    ["another secret", randomSecret()],
    ["Stripe's secret", btoa(env.STRIPE_WEBHOOK_SECRET)],
    ["the API key", btoa(env.CLERK_SECRET_KEY)],
  ] as const
) {
  Deno.test(`a signature by ${what} is refused`, () =>
    assertForged(
      "invalid_signature",
      (payload, id) => deliverSigned(clients, payload, { id, secret }),
    ));
}

Deno.test("a signature by an empty secret is refused", () =>
  assertForgedBy((right, payload) => {
    const content = `${right["svix-id"]}.${right["svix-timestamp"]}.${payload}`;
    const hmac = createHmac("sha256", "").update(content).digest("base64");
    return { "svix-signature": `v1,${hmac}` };
  }));

for (
  const [what, seconds] of [
    // A second may go by before it is read.
    ["older", -TOLERANCE - 1],
    ["further ahead", TOLERANCE + 10],
  ] as const
) {
  Deno.test(`a signature that is ${what} than ${TOLERANCE} s is refused`, () =>
    assertForged(
      "invalid_signature",
      (payload, id) => deliverSigned(clients, payload, { id, at: secondsFromNow(seconds) }),
    ));
}

Deno.test("a signature of almost that age is believed", async () => {
  for (const seconds of [-TOLERANCE + 30, TOLERANCE - 1]) {
    const { payload } = temptingEvent();
    const { status } = await deliverSigned(clients, payload, { at: secondsFromNow(seconds) });
    assert.equal(status, 200);
  }
});

for (const timestamp of ["now", "", "1e400", "-1", "NaN", "0x10"]) {
  Deno.test(`“${timestamp}” is no time of a signature`, () =>
    assertForgedBy(() => ({ "svix-timestamp": timestamp })));
}

for (const signature of ["hello", "v1", "v1,", "v1,%%%", "v0,AAAA", ","]) {
  Deno.test(`“${signature}” is no signature`, () =>
    assertForgedBy(() => ({ "svix-signature": signature })));
}

Deno.test("a body over the limit is refused, before its signature is looked at", async () => {
  const answer = await deliver(clients, " ".repeat(1024 * 1024 + 1), {});
  assertRefused(answer, 413, "body_too_large");
});

Deno.test("an event of a body's full size is taken in", async () => {
  const { payload } = temptingEvent();
  assert.equal((await deliverSigned(clients, payload.padEnd(1024 * 1024))).status, 200);
});

Deno.test("each of several secrets is believed while they rotate, and no other", async () => {
  const secrets = [randomSecret(), randomSecret()];
  const settings = { CLERK_WEBHOOK_SIGNING_SECRET: ` ${secrets.join(" , ")},` };
  await withFunction(clients, "clerk-webhook", settings, async ({ base }) => {
    for (const secret of secrets) {
      const { payload } = temptingEvent();
      assert.equal((await deliverSigned(clients, payload, { secret }, base)).status, 200);
    }
    await assertForged(
      "invalid_signature",
      (payload, id) => deliverSigned(clients, payload, { id }, base),
    );
  });
});

for (const [what, secret] of [["unset", undefined], ["empty", ""], ["blank", " , "]] as const) {
  Deno.test(`while the secret is ${what} the endpoint is closed`, () =>
    withFunction(
      clients,
      "clerk-webhook",
      { CLERK_WEBHOOK_SIGNING_SECRET: secret },
      async ({ base }) => {
        const { payload, id } = temptingEvent();
        const right = headersOf(clients, payload, { id });
        assertRefused(
          await deliver(clients, payload, { ...right }, base),
          503,
          "endpoint_closed",
        );
        const content = `${id}.${right["svix-timestamp"]}.${payload}`;
        const hmac = createHmac("sha256", "").update(content).digest("base64");
        const forged = { ...right, "svix-signature": `v1,${hmac}` };
        assertRefused(await deliver(clients, payload, forged, base), 503, "endpoint_closed");
        assert.equal(await ledgerOutcome(sql, id), null);
      },
    ));
}

for (const method of ["GET", "PUT", "OPTIONS"]) {
  Deno.test(`${method} is answered with the method to use, and no browser is let in`, async () => {
    const response = await fetch(`${env.SUPABASE_URL}/functions/v1/clerk-webhook`, { method });
    await response.body?.cancel();
    assert.equal(response.status, 405);
    assert.equal(response.headers.get("allow"), "POST");
    assert.equal(response.headers.get("access-control-allow-origin"), null);
  });
}
