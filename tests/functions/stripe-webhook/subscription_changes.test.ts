import assert from "node:assert/strict";
import { readRows } from "../../../local/demo/numbers.ts";
import { stackEnv } from "../../stack.ts";
import { buySeats, changeQuantity, type Purchase } from "../checkout.ts";
import { connect } from "../clients.ts";
import { addMembers, createOrganization, type Organization, settled } from "../organizations.ts";
import { type Numbers, numbersOf, only } from "../rows.ts";
import { priceOf, subscribe } from "./subscriptions.ts";

const clients = connect(stackEnv());
const { admin, sql, stripe, stripeControl } = clients;

async function assertNumbers(
  organization: Organization,
  expected: Partial<Numbers>,
): Promise<void> {
  const numbers = await numbersOf(sql, organization);
  assert.deepEqual({ ...numbers, ...expected }, numbers);
}

/** Lets something happen to a subscription in Stripe, and waits for the webhooks. */
async function afterwards(
  { subscriptionId }: Pick<Purchase, "subscriptionId">,
  happening: Promise<unknown>,
): Promise<void> {
  await happening;
  await settled(clients, subscriptionId);
}

async function canAdd({ id }: Organization): Promise<boolean> {
  const { data } = await admin.rpc("check_organization_capacity", { p_organization_id: id })
    .throwOnError();
  return only(data).can_add;
}

Deno.test("a quantity that is changed in Stripe's dashboard is followed at once, up and down", async () => {
  const organization = await createOrganization(clients);
  const purchase = await buySeats(clients, organization);
  for (const quantity of [9, 6, 20, 1]) {
    await changeQuantity(clients, purchase, quantity);
    await assertNumbers(organization, { purchased: quantity, limit: quantity, status: "active" });
  }
});

Deno.test("fewer seats than are in use throw nobody out, and nobody comes in", async () => {
  const organization = await createOrganization(clients);
  const purchase = await buySeats(clients, organization);
  await addMembers(clients, organization, 3);
  assert.equal(await canAdd(organization), true);

  await changeQuantity(clients, purchase, 2);
  await assertNumbers(organization, { limit: 2, members: 4, used: 4, overCapacity: true });
  assert.equal(await canAdd(organization), false);

  await changeQuantity(clients, purchase, 5);
  await assertNumbers(organization, { limit: 5, members: 4, overCapacity: false });
  assert.equal(await canAdd(organization), true);
});

Deno.test("another plan and period are followed", async () => {
  const organization = await createOrganization(clients);
  const { subscriptionId, itemId } = await buySeats(clients, organization);
  const price = await priceOf(clients, "seatkeeper_max_yearly");
  await afterwards(
    { subscriptionId },
    stripe.subscriptions.update(subscriptionId, {
      items: [{ id: itemId, price, quantity: 30 }],
      billing_cycle_anchor: { type: "now" },
    }),
  );
  await assertNumbers(organization, { plan: "max", limit: 30 });
  const { plan, period } = only(
    await sql`
      select o.subscription_plan as plan, s.seat_billing_period as period
      from public.organizations as o
      join public.organization_subscriptions as s on s.organization_id = o.id
      where o.id = ${organization.id}`,
  );
  assert.deepEqual({ plan, period }, { plan: "max", period: "yearly" });
});

Deno.test("a renewal that is paid keeps the seats and moves the period's end", async () => {
  const organization = await createOrganization(clients);
  const purchase = await buySeats(clients, organization);
  await afterwards(purchase, stripeControl.endPeriod(purchase.subscriptionId));
  await assertNumbers(organization, { status: "active", limit: 5 });
  const { end } = only(
    await sql<{ end: number }[]>`
      select extract(epoch from current_period_end)::integer as end
      from public.organization_subscriptions where organization_id = ${organization.id}`,
  );
  const { items } = await stripe.subscriptions.retrieve(purchase.subscriptionId);
  assert.equal(end, items.data[0]?.current_period_end);
});

Deno.test("a renewal that fails keeps the seats while it is tried again", async () => {
  const organization = await createOrganization(clients);
  const purchase = await buySeats(clients, organization);
  await afterwards(purchase, stripeControl.endPeriod(purchase.subscriptionId, "declined"));
  await assertNumbers(organization, { status: "past_due", purchased: 5, limit: 5 });
});

Deno.test("an unpaid subscription gives no seats until it is paid, and throws nobody out", async () => {
  const organization = await createOrganization(clients);
  const purchase = await buySeats(clients, organization);
  await addMembers(clients, organization, 2);
  await stripeControl.endPeriod(purchase.subscriptionId, "declined");
  await afterwards(purchase, stripeControl.markUnpaid(purchase.subscriptionId));
  await assertNumbers(organization, {
    status: "unpaid",
    purchased: 0,
    limit: 0,
    members: 3,
    overCapacity: true,
  });

  const { latest_invoice } = await stripe.subscriptions.retrieve(purchase.subscriptionId);
  await afterwards(purchase, stripeControl.payInvoice(String(latest_invoice)));
  await assertNumbers(organization, { status: "active", limit: 5, overCapacity: false });
});

for (
  const [what, end] of [
    ["in the dashboard", ({ subscriptionId }) => stripe.subscriptions.cancel(subscriptionId)],
    ["for non-payment", async ({ subscriptionId }) => {
      await stripeControl.endPeriod(subscriptionId, "declined");
      await stripeControl.cancelForNonPayment(subscriptionId);
    }],
    ["at the period's end", async ({ subscriptionId }) => {
      await stripe.subscriptions.update(subscriptionId, { cancel_at_period_end: true });
      await stripeControl.endPeriod(subscriptionId);
    }],
  ] satisfies [string, (purchase: Purchase) => Promise<unknown>][]
) {
  Deno.test(`a subscription that is cancelled ${what} gives no seats and throws nobody out`, async () => {
    const organization = await createOrganization(clients);
    const purchase = await buySeats(clients, organization);
    await addMembers(clients, organization, 2);
    await afterwards(purchase, end(purchase));
    await assertNumbers(organization, {
      status: "canceled",
      purchased: 0,
      limit: 0,
      members: 3,
      overCapacity: true,
    });
  });
}

Deno.test("a subscription that is to end keeps its seats until then", async () => {
  const organization = await createOrganization(clients);
  const purchase = await buySeats(clients, organization);
  for (const ending of [true, false]) {
    await afterwards(
      purchase,
      stripe.subscriptions.update(purchase.subscriptionId, { cancel_at_period_end: ending }),
    );
    await assertNumbers(organization, { status: "active", limit: 5 });
    const row = only(
      await sql`
        select cancel_at_period_end as ending from public.organization_subscriptions
        where organization_id = ${organization.id}`,
    );
    assert.equal(row["ending"], ending);
  }
});

Deno.test("a trial gives its seats at once, and none while it is paused after", async () => {
  const organization = await createOrganization(clients);
  const { id: subscriptionId } = await subscribe(clients, organization, {
    trial_period_days: 7,
    trial_settings: { end_behavior: { missing_payment_method: "pause" } },
  });
  await settled(clients, subscriptionId);
  await assertNumbers(organization, { status: "trialing", limit: 4 });

  await afterwards({ subscriptionId }, stripeControl.endTrial(subscriptionId));
  await assertNumbers(organization, {
    status: "paused",
    purchased: 0,
    limit: 0,
    members: 1,
    overCapacity: true,
  });
});

Deno.test("a subscription whose first payment never comes gives no seats", async () => {
  const organization = await createOrganization(clients);
  const { id: subscriptionId } = await subscribe(clients, organization, {
    payment_behavior: "default_incomplete",
  });
  await settled(clients, subscriptionId);
  await assertNumbers(organization, { status: "incomplete", limit: 0 });

  await afterwards({ subscriptionId }, stripeControl.expireIncomplete(subscriptionId));
  await assertNumbers(organization, { status: "incomplete_expired", limit: 0 });
});

Deno.test("a subscription whose first payment comes late gives its seats then", async () => {
  const organization = await createOrganization(clients);
  const { id, latest_invoice } = await subscribe(clients, organization, {
    payment_behavior: "default_incomplete",
  });
  await settled(clients, id);
  await assertNumbers(organization, { status: "incomplete", limit: 0 });

  await afterwards({ subscriptionId: id }, stripeControl.payInvoice(String(latest_invoice)));
  await assertNumbers(organization, { status: "active", limit: 4 });
});

Deno.test("late events of a subscription that has been replaced change nothing", async () => {
  const organization = await createOrganization(clients);
  const first = await buySeats(clients, organization);
  const contains = first.subscriptionId;
  const late = await Promise.all(
    ["customer.subscription.updated", "invoice.paid", "invoice.payment_failed"].map((type) =>
      stripeControl.addPolicy({ contains, type, kind: "hold", times: 0 })
    ),
  );
  await changeQuantity(clients, first, 7);
  await stripeControl.endPeriod(first.subscriptionId);
  await stripeControl.endPeriod(first.subscriptionId, "declined");
  await afterwards(first, stripe.subscriptions.cancel(first.subscriptionId));
  await Promise.all(late.map((id) => stripeControl.removePolicy(id)));
  await buySeats(clients, organization, { seats: 3 });
  const before = await readRows(sql, organization.clerkId);

  const released = await stripeControl.release({ contains, order: "shuffled" });
  assert(released.length >= 5);
  assert(released.every(({ state }) => state === "delivered"));
  assert.deepEqual(await readRows(sql, organization.clerkId), before);
});

Deno.test("of two subscriptions at once the newer one counts, until it ends", async () => {
  const organization = await createOrganization(clients);
  const bought = await buySeats(clients, organization, { seats: 8 });
  const added = await stripe.subscriptions.create({
    customer: bought.customerId,
    items: [{ price: await priceOf(clients, "seatkeeper_pro_monthly"), quantity: 3 }],
    trial_period_days: 7,
  });
  await settled(clients, bought.customerId);
  const both = [await stripe.subscriptions.retrieve(bought.subscriptionId), added];
  // Both may have been made in the same second; their ids decide then.
  both.sort((a, b) => b.created - a.created || (a.id < b.id ? 1 : -1));

  for (const { id, status, items } of both) {
    const limit = items.data[0]?.quantity ?? 0;
    await assertNumbers(organization, { status, purchased: limit, limit });
    await afterwards({ subscriptionId: id }, stripe.subscriptions.cancel(id));
  }
  await assertNumbers(organization, { status: "canceled", limit: 0 });
});
