import assert from "node:assert/strict";
import type { Stripe } from "stripe";
import { only, type Transaction, withTransaction } from "./connection.ts";
import { numbersOf, type Organization } from "./organizations.ts";
import { permutations } from "./orders.ts";
import { deliverStripeEvent, type Reading, silence } from "./stripe_deliveries.ts";
import {
  inState,
  second,
  type StripeEvent,
  stripeEvent,
  stripeInvoice,
  stripeSession,
  stripeSubscription,
} from "./stripe_events.ts";
import { makeBuyer } from "./stripe_reports.ts";

/** A purchase of five seats whose payment takes days, as far as it has come. */
interface Delayed {
  readonly subscription: Stripe.Subscription;
  readonly session: Stripe.Checkout.Session;
  readonly invoice: Stripe.Invoice;
  /** Before the payment: the subscription is active, the session complete, nothing is paid. */
  readonly unpaid: readonly StripeEvent[];
}

function delayed(organization: Organization): Delayed {
  const first = stripeSubscription(organization, second(0));
  const invoice = stripeInvoice(first, "open");
  const subscription = inState(first, { quantity: 5, latestInvoice: invoice });
  const session = stripeSession(organization, first, {
    created: second(0),
    payment_status: "unpaid",
  });
  const shown = { ...subscription, latest_invoice: invoice.id };
  return {
    subscription,
    session,
    invoice,
    unpaid: [
      stripeEvent("customer.subscription.created", shown, second(0)),
      stripeEvent("checkout.session.completed", session, second(0)),
    ],
  };
}

async function seats(sql: Transaction, organization: Organization): Promise<number> {
  return (await numbersOf(sql, organization)).seatLimit;
}

Deno.test("an active subscription that is not paid yet gives no seats until the payment arrives", () =>
  withTransaction(async (sql) => {
    for (const order of permutations([0, 1])) {
      const organization = await makeBuyer(sql);
      const { unpaid, session, subscription } = delayed(organization);
      const read = (): Reading => ({ readAt: second(0), subscription });
      for (const event of order.flatMap((index) => unpaid[index] ?? [])) {
        await deliverStripeEvent(sql, event, read);
        assert.equal(await seats(sql, organization), 0);
      }

      const paid = { ...session, payment_status: "paid" as const };
      const succeeded = stripeEvent(
        "checkout.session.async_payment_succeeded",
        paid,
        second(3600),
      );
      await deliverStripeEvent(sql, succeeded, read);

      assert.equal(await seats(sql, organization), 5);
    }
  }));

Deno.test("the paid invoice alone says as well that the payment has arrived", () =>
  withTransaction(async (sql) => {
    const organization = await makeBuyer(sql);
    const { unpaid, invoice, subscription } = delayed(organization);
    const read = (): Reading => ({ readAt: second(0), subscription });
    for (const event of unpaid) await deliverStripeEvent(sql, event, read);

    const paid = { ...invoice, status: "paid" as const };
    await deliverStripeEvent(sql, stripeEvent("invoice.paid", paid, second(3600)), read);

    assert.equal(await seats(sql, organization), 5);
  }));

Deno.test("Stripe says the same of the subscription, and that its invoice is paid by now", () =>
  withTransaction(async (sql) => {
    const organization = await makeBuyer(sql);
    const { unpaid, invoice, subscription } = delayed(organization);
    for (const event of unpaid) {
      await deliverStripeEvent(sql, event, () => ({ readAt: second(0), subscription }));
    }

    const paid = { ...subscription, latest_invoice: { ...invoice, status: "paid" as const } };
    const shown = { ...subscription, latest_invoice: invoice.id };
    await deliverStripeEvent(
      sql,
      stripeEvent("customer.subscription.updated", shown, second(60)),
      () => ({ readAt: second(60), subscription: paid }),
    );

    assert.equal(await seats(sql, organization), 5);
  }));

Deno.test("a change of quantity does not get around the payment", () =>
  withTransaction(async (sql) => {
    const organization = await makeBuyer(sql);
    const { unpaid, invoice, subscription } = delayed(organization);
    for (const event of unpaid) {
      await deliverStripeEvent(sql, event, () => ({ readAt: second(0), subscription }));
    }

    const changed = inState(subscription, { quantity: 9, latestInvoice: invoice });
    await deliverStripeEvent(
      sql,
      stripeEvent("customer.subscription.updated", changed, second(60)),
      () => ({ readAt: second(60), subscription: changed }),
    );

    assert.equal(await seats(sql, organization), 0);
  }));

for (
  const [reason, status] of [
    ["subscription_update", "open"],
    ["subscription_update", "paid"],
    ["manual", "paid"],
    ["subscription_cycle", "draft"],
    ["subscription_cycle", "open"],
  ] as const
) {
  Deno.test(`a later invoice does not get around the payment: ${reason}, ${status}`, () =>
    withTransaction(async (sql) => {
      const organization = await makeBuyer(sql);
      const { unpaid, invoice, subscription } = delayed(organization);
      for (const event of unpaid) {
        await deliverStripeEvent(sql, event, () => ({ readAt: second(0), subscription }));
      }

      const later = { ...invoice, id: "in_later", billing_reason: reason, status };
      const changed = inState(subscription, { quantity: 4, latestInvoice: later });
      const read = (): Reading => ({ readAt: second(60), subscription: changed });
      const shown = { ...changed, latest_invoice: later.id };
      await deliverStripeEvent(
        sql,
        stripeEvent("customer.subscription.updated", shown, second(60)),
        read,
      );
      if (status === "paid") {
        await deliverStripeEvent(sql, stripeEvent("invoice.paid", later, second(60)), read);
      }
      assert.equal(await seats(sql, organization), 0);

      const paid = { ...invoice, status: "paid" as const };
      await deliverStripeEvent(sql, stripeEvent("invoice.paid", paid, second(3600)), read);
      assert.equal(await seats(sql, organization), 4);
    }));
}

Deno.test("a payment that fails in the end gives no seats", () =>
  withTransaction(async (sql) => {
    const organization = await makeBuyer(sql);
    const { unpaid, invoice, session, subscription } = delayed(organization);
    for (const event of unpaid) {
      await deliverStripeEvent(sql, event, () => ({ readAt: second(0), subscription }));
    }

    const expired = inState(subscription, {
      quantity: 5,
      status: "incomplete_expired",
      latestInvoice: invoice,
    });
    await deliverStripeEvent(
      sql,
      stripeEvent("checkout.session.async_payment_failed", session, second(3600)),
      () => ({ readAt: second(3600), subscription: expired }),
    );

    assert.equal(await seats(sql, organization), 0);
    const rows = await sql`
      select status from public.organization_subscriptions
      where organization_id = ${organization.id}`;
    assert.equal(only(rows)["status"], "incomplete_expired");
  }));

Deno.test("a Stripe that knows nothing: unpaid is unpaid, paid is paid, in any order", () =>
  withTransaction(async (sql) => {
    for (const order of permutations([0, 1])) {
      const organization = await makeBuyer(sql);
      const { unpaid, session } = delayed(organization);
      for (const event of order.flatMap((index) => unpaid[index] ?? [])) {
        await deliverStripeEvent(sql, event, silence);
      }
      assert.equal(await seats(sql, organization), 0);

      const paid = { ...session, payment_status: "paid" as const };
      await deliverStripeEvent(
        sql,
        stripeEvent("checkout.session.async_payment_succeeded", paid, second(3600)),
        silence,
      );
      assert.equal(await seats(sql, organization), 5);
    }
  }));

Deno.test("a session that ends paid gives the seats when it is all that arrives", () =>
  withTransaction(async (sql) => {
    const organization = await makeBuyer(sql);
    const { session, subscription } = delayed(organization);
    const latestInvoice = stripeInvoice(subscription, "paid");
    const completed = stripeEvent(
      "checkout.session.completed",
      { ...session, payment_status: "paid" },
      second(1),
    );

    await deliverStripeEvent(sql, completed, () => ({
      readAt: second(1),
      subscription: inState(subscription, { quantity: 5, latestInvoice }),
    }));

    assert.equal(await seats(sql, organization), 5);
  }));

Deno.test("a trial and a first invoice that is due later give their seats at once", () =>
  withTransaction(async (sql) => {
    const organization = await makeBuyer(sql);
    const first = stripeSubscription(organization, second(0));
    const trialing = inState(first, { quantity: 5, status: "trialing" });

    await deliverStripeEvent(
      sql,
      stripeEvent("customer.subscription.created", trialing, second(0)),
      () => assert.fail("A trial is not asked about"),
    );
    assert.equal(await seats(sql, organization), 5);

    const renewed = inState(first, {
      quantity: 6,
      latestInvoice: stripeInvoice(first, "open", "subscription_cycle"),
    });
    await deliverStripeEvent(
      sql,
      stripeEvent("customer.subscription.updated", renewed, second(60)),
      () => ({ readAt: second(60), subscription: renewed }),
    );
    assert.equal(await seats(sql, organization), 6);
  }));
