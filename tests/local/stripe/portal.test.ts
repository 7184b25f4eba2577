import assert from "node:assert/strict";
import type { Stripe } from "stripe";
import { eventTypes, itemOf, lastEvent, subscribe, withStripe } from "./emulation.ts";

const FEATURES: Stripe.BillingPortal.ConfigurationCreateParams.Features = {
  customer_update: { allowed_updates: ["email", "tax_id"], enabled: true },
  invoice_history: { enabled: true },
  payment_method_update: { enabled: true },
  subscription_cancel: { enabled: true, mode: "at_period_end" },
  subscription_update: { enabled: false },
};

async function open(stripe: Stripe, features = FEATURES) {
  const subscription = await subscribe(stripe, 4);
  const configuration = await stripe.billingPortal.configurations.create({ features });
  const session = await stripe.billingPortal.sessions.create({
    customer: String(subscription.customer),
    configuration: configuration.id,
    return_url: "http://127.0.0.1/back",
  });
  return { subscription, configuration, session };
}

Deno.test("a customer cancels in the portal, and comes back", () =>
  withStripe(async ({ stripe, control }) => {
    const { subscription: { id }, session } = await open(stripe);
    const page = await (await fetch(session.url)).text();
    assert.match(page, /4 seats: active/);
    assert.match(page, /http:\/\/127.0.0.1\/back/);
    assert.match(page, /-0001/);

    assert.equal(await control.cancelInPortal(session.id, id), `/p/session/${session.id}`);
    const ending = await stripe.subscriptions.retrieve(id);
    assert.deepEqual(
      [ending.status, ending.cancel_at, ending.cancel_at_period_end],
      ["active", itemOf(ending).current_period_end, false],
    );
    const { previous } = await lastEvent(stripe, "customer.subscription.updated");
    assert.deepEqual(Object.keys(previous).sort(), [
      "cancel_at",
      "canceled_at",
      "cancellation_details",
    ]);
    assert.match(await (await fetch(session.url)).text(), /ends \d{4}-/);
    await control.reactivateInPortal(session.id, id);
    assert.equal((await stripe.subscriptions.retrieve(id)).cancel_at, null);
    await control.cancelInPortal(session.id, id);
    assert.equal((await control.endPeriod(id)).status, "canceled");
  }));

Deno.test("a card that is replaced in the portal is charged from then on", () =>
  withStripe(async ({ stripe, control }) => {
    const { subscription, session } = await open(stripe);
    const { data: [own] } = await stripe.paymentMethods.list({ customer: session.customer });
    await stripe.subscriptions.update(subscription.id, { default_payment_method: own?.id ?? "" });
    await control.replaceCardInPortal(session.id, "4000000000000341");
    assert.equal((await control.endPeriod(subscription.id)).status, "past_due");
    for (
      const [card, problem] of [["1", "invalid_number"], ["4000000000000002", "card_declined"]]
    ) {
      const where = await control.replaceCardInPortal(session.id, card ?? "");
      assert.equal(where, `/p/session/${session.id}?problem=${problem}`);
    }
    await control.replaceCardInPortal(session.id, "4242424242424242");
    const { latest_invoice } = await stripe.subscriptions.retrieve(subscription.id);
    await stripe.invoices.pay(String(latest_invoice));
    assert.equal((await stripe.subscriptions.retrieve(subscription.id)).status, "active");
  }));

Deno.test("the portal offers what its configuration allows, to its own customer", () =>
  withStripe(async ({ stripe, control }) => {
    const { subscription: { id }, configuration, session } = await open(stripe);
    const other = await subscribe(stripe, 1);
    assert.match(await control.cancelInPortal(session.id, other.id), /problem=not_allowed/);
    await stripe.billingPortal.configurations.update(configuration.id, {
      features: {
        subscription_cancel: { enabled: false },
        payment_method_update: { enabled: false },
      },
      metadata: { a: "1" },
    });
    assert.match(await control.cancelInPortal(session.id, id), /problem=not_allowed/);
    assert.match(await control.replaceCardInPortal(session.id, "4242"), /problem=not_allowed/);
    assert.equal((await fetch(session.url.replace(session.id, "bps_none"))).status, 404);
    const { features } = await stripe.billingPortal.configurations.retrieve(configuration.id);
    assert.deepEqual(
      [features.subscription_cancel.enabled, features.invoice_history.enabled],
      [false, true],
    );
    assert.deepEqual(
      (await stripe.billingPortal.configurations.list({ active: true })).data.map((one) => one.id),
      [configuration.id],
    );
    assert((await eventTypes(stripe)).includes("billing_portal.session.created"));
  }));

Deno.test("a session needs an active configuration; quantities stay out of the portal", () =>
  withStripe(async ({ stripe }) => {
    const { configuration, session: { customer } } = await open(stripe);
    const { configurations, sessions } = stripe.billingPortal;
    await assert.rejects(sessions.create({ customer }), /default configuration/);
    await assert.rejects(sessions.create({ customer, configuration: "bpc_none" }), {
      param: "configuration",
    });
    await assert.rejects(
      configurations.create({ features: { subscription_update: { enabled: true } } }),
      { param: "features[subscription_update][enabled]" },
    );
    await configurations.update(configuration.id, { active: false });
    await assert.rejects(sessions.create({ customer, configuration: configuration.id }), {
      param: "configuration",
    });
  }));

Deno.test("a portal that is set to cancels at once", () =>
  withStripe(async ({ stripe, control }) => {
    const { subscription: { id }, session } = await open(stripe, {
      subscription_cancel: { enabled: true, mode: "immediately" },
    });
    await control.cancelInPortal(session.id, id);
    assert.equal((await stripe.subscriptions.retrieve(id)).status, "canceled");
  }));
