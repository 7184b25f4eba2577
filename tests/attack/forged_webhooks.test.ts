import assert from "node:assert/strict";
import fc from "fast-check";
import { stackEnv } from "../stack.ts";
import { assertRefused, callFunction, functionsOf } from "../functions/api.ts";
import { headersOf, newMessageId } from "../functions/clerk-webhook/deliveries.ts";
import { membershipEvent, newCast } from "../functions/clerk-webhook/published_events.ts";
import { connect } from "../functions/clients.ts";
import { createOrganization } from "../functions/organizations.ts";
import { ledgerOutcome, numbersOf } from "../functions/rows.ts";
import { signatureOf } from "../functions/stripe-webhook/deliveries.ts";
import {
  publishedEvent,
  publishedSubscription,
} from "../functions/stripe-webhook/published_events.ts";
import { customerOf } from "../functions/stripe-webhook/subscriptions.ts";
import { forgeries, type Signer } from "./forgeries.ts";

const clients = connect(stackEnv());
const { sql } = clients;

/** Of each provider's. */
const FORGERIES = 5000;
/** Under way at the same time. */
const AT_ONCE = 16;

const STRIPE: Signer = {
  headers: ["stripe-signature"],
  wrongSecrets: [`whsec_${"0".repeat(32)}`, "whsec_", "undefined", "null", "[object Object]"],
  sign: async (body, { secondsFromNow, ...signing }) => ({
    body,
    headers: {
      "stripe-signature": await signatureOf(clients, body, {
        ...signing,
        ...(secondsFromNow === undefined
          ? {}
          : { timestamp: Math.floor(Date.now() / 1000) + secondsFromNow }),
      }),
    },
  }),
};

/** The ids of all messages that were signed in Clerk's name. */
const messageIds: string[] = [];

const CLERK: Signer = {
  headers: ["svix-id", "svix-timestamp", "svix-signature"],
  wrongSecrets: [`whsec_${btoa("0".repeat(24))}`, `whsec_${btoa("\0")}`, btoa("undefined")],
  sign: (body, { secondsFromNow = 0, ...signing }) => {
    const id = newMessageId();
    messageIds.push(id);
    const at = new Date(Date.now() + secondsFromNow * 1000);
    return Promise.resolve({
      body,
      headers: { ...headersOf(clients, body, { ...signing, id, at }) },
    });
  },
};

/** Sends forgeries of a body, and asserts of each that it is refused. */
async function assertNoneBelieved(name: string, signer: Signer, body: string): Promise<void> {
  const waiting = fc.sample(forgeries, FORGERIES);
  const send = async () => {
    for (let forge = waiting.pop(); forge !== undefined; forge = waiting.pop()) {
      const message = await forge(signer, body);
      const answer = await callFunction(functionsOf(clients), name, {
        raw: message.body,
        headers: message.headers,
      });
      const { code } = answer.body as { code: string };
      assertRefused(answer, 400, code);
      const told = `${code}: ${JSON.stringify(message.headers)}`;
      assert(["missing_signature", "invalid_signature"].includes(code), told);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, send));
}

Deno.test(`of ${FORGERIES} forged events of Stripe's none is believed`, async () => {
  const organization = await createOrganization(clients);
  const purchase = {
    organizationId: organization.id,
    customerId: await customerOf(clients, organization),
    subscriptionId: `sub_${crypto.randomUUID().replaceAll("-", "")}`,
    at: Math.floor(Date.now() / 1000),
  };
  const object = publishedSubscription(purchase, 9, { status: "trialing" });
  const event = publishedEvent(purchase, "customer.subscription.created", object);
  const body = JSON.stringify(event, null, 2);

  await assertNoneBelieved("stripe-webhook", STRIPE, body);

  assert.equal(await ledgerOutcome(sql, event.id), null);
  assert.equal((await numbersOf(sql, organization)).limit, 0);
  // Signed as Stripe signs, the same event is believed: nothing else kept it out.
  const { headers } = await STRIPE.sign(body, {});
  const { status } = await callFunction(functionsOf(clients), "stripe-webhook", {
    raw: body,
    headers,
  });
  assert.equal(status, 200);
  assert.equal((await numbersOf(sql, organization)).limit, 9);
});

Deno.test(`of ${FORGERIES} forged events of Clerk's none is believed`, async () => {
  const cast = newCast();
  const event = membershipEvent(cast, { what: "created", who: "owner", seconds: 0 });
  const body = JSON.stringify(event, null, 2);
  const rowsOf = async () =>
    (await sql`select from public.organizations where clerk_org_id = ${cast.organizationId}`)
      .length;

  await assertNoneBelieved("clerk-webhook", CLERK, body);

  assert.equal(await rowsOf(), 0);
  const written = await sql`
    select from private.webhook_events where event_id in ${sql(messageIds)}`;
  assert.equal(written.length, 0);
  const { headers } = await CLERK.sign(body, {});
  const { status } = await callFunction(functionsOf(clients), "clerk-webhook", {
    raw: body,
    headers,
  });
  assert.equal(status, 200);
  assert.equal(await rowsOf(), 1);
});
