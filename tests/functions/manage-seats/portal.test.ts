import assert from "node:assert/strict";
import { stackEnv } from "../../stack.ts";
import { assertRefused } from "../api.ts";
import { connect } from "../clients.ts";
import { createOrganization, settled } from "../organizations.ts";
import { callSeats, createSubscriber, summaryOf } from "./seats.ts";

const clients = connect(stackEnv());
const { stripe, stripeControl } = clients;

Deno.test("the portal opens for whoever has bought, with quantities switched off", async () => {
  const subscriber = await createSubscriber(clients);
  const returnUrl = `${clients.env.SITE_URL}/seats`;

  const { status, body } = await callSeats<{ url: string }>(
    clients,
    subscriber,
    "POST",
    "/portal",
    { body: { returnUrl } },
  );

  assert.equal(status, 200, JSON.stringify(body));
  const page = await fetch(body.url);
  assert.equal(page.status, 200);
  assert((await page.text()).includes(returnUrl));
  const { data } = await stripe.billingPortal.configurations.list({ active: true, limit: 100 });
  const ours = data.filter(({ metadata }) => metadata?.["seatkeeper"] === "portal");
  assert.equal(ours.length, 1);
  assert.equal(ours[0]?.features.subscription_update.enabled, false);
  assert.equal(ours[0]?.features.subscription_cancel.mode, "at_period_end");
});

Deno.test("cancelling and reactivating in the portal are followed", async () => {
  const subscriber = await createSubscriber(clients);
  const { body } = await callSeats<{ url: string }>(clients, subscriber, "POST", "/portal", {
    body: {},
  });
  const session = new URL(body.url).pathname.split("/").at(-1) ?? "";
  const ending = async () =>
    (await summaryOf<{ cancelAtPeriodEnd: boolean }>(clients, subscriber)).cancelAtPeriodEnd;

  await stripeControl.cancelInPortal(session, subscriber.subscriptionId);
  await settled(clients, subscriber.subscriptionId);
  assert.equal(await ending(), true);

  await stripeControl.reactivateInPortal(session, subscriber.subscriptionId);
  await settled(clients, subscriber.subscriptionId);
  assert.equal(await ending(), false);
});

Deno.test("the portal returns to allowed origins only, and needs a customer", async () => {
  const subscriber = await createSubscriber(clients);
  const open = (caller: { id: string; token: string }, body: unknown) =>
    callSeats(clients, caller, "POST", "/portal", { body });
  assertRefused(
    await open(subscriber, { returnUrl: "https://evil.example/" }),
    400,
    "return_url_not_allowed",
  );
  assertRefused(await open(subscriber, { returnUrl: 1 }), 400, "invalid_request");
  assertRefused(await open(await createOrganization(clients), {}), 409, "no_customer");
});
