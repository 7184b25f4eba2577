import type Stripe from "stripe";
import { assertInvariants } from "../../simulation/invariants.ts";
import { changeQuantity } from "../checkout.ts";
import type { Clients } from "../clients.ts";
import { assertAgreement as assertPeopleAgree } from "../manage-members/team.ts";
import { assertAgreement as assertSeatsAgree } from "../manage-seats/agreement.ts";
import { createSubscriber, type Subscriber } from "../manage-seats/seats.ts";
import { addInvitations, type Organization, withoutClerkWebhooks } from "../organizations.ts";
import { losingEvents } from "../stripe-webhook/deliveries.ts";
import { limitPushed } from "./sync.ts";

/**
 * Creates an organization that has bought seats and of which Clerk and Stripe know what Postgres does
 * not, with a change of its seats that has never reached Stripe.
 */
export async function createDrifted(clients: Clients): Promise<Subscriber> {
  const { admin, clerk } = clients;
  const subscriber = await createSubscriber(clients);
  const { clerkId, id, adminId } = subscriber;
  const [revoked = ""] = await addInvitations(clients, subscriber, 1);
  await limitPushed(clients, subscriber);
  await admin.rpc("start_seat_change", {
    p_organization_id: id,
    p_clerk_org_id: clerkId,
    p_seats: 3,
    p_idempotency_key: "drifted",
    p_actor: adminId,
  }).throwOnError();
  await losingEvents(
    clients,
    subscriber.subscriptionId,
    () => changeQuantity(clients, subscriber, 9),
  );
  await withoutClerkWebhooks(clients, subscriber, async () => {
    await clerk.addMember(clerkId);
    await clerk.client.organizations.revokeOrganizationInvitation({
      organizationId: clerkId,
      invitationId: revoked,
      requestingUserId: adminId,
    });
  });
  return subscriber;
}

/** Asserts that all agree on an organization that had drifted, and that Clerk knows its limit. */
export async function assertRepaired(clients: Clients, subscriber: Subscriber): Promise<void> {
  await limitPushed(clients, subscriber);
  await assertSeatsAgree(clients, subscriber, { purchased: 9, renewal: 9, invoices: 0 });
  await assertPeopleAgree(clients, subscriber);
  await assertInvariants(clients.sql, subscriber);
}

/** Lets the time run out that a process has which works on an organization. */
export async function lapseLease(
  { sql }: Clients,
  { id }: Pick<Organization, "id">,
): Promise<void> {
  await sql`
    update private.organization_syncs
    set leased_until = '-infinity', limit_push_until = '-infinity' where organization_id = ${id}`;
}

/** Buys seats two hours ago, without Postgres hearing of it: Stripe could not deliver its events. */
export async function buyUnheard(
  clients: Clients,
  { id, clerkId }: Organization,
): Promise<Stripe.Subscription> {
  const { admin, stripe } = clients;
  // Events of a test clock carry its time.
  const clock = await stripe.testHelpers.testClocks.create({
    frozen_time: Math.floor(Date.now() / 1000) - 7200,
  });
  const customer = await stripe.customers.create({
    test_clock: clock.id,
    payment_method: "pm_card_visa",
    invoice_settings: { default_payment_method: "pm_card_visa" },
    metadata: { organization_id: id },
  });
  await admin.rpc("attach_stripe_customer", {
    p_organization_id: id,
    p_stripe_customer_id: customer.id,
    p_actor: clerkId,
  }).throwOnError();
  const { data: [price] } = await stripe.prices.list({ lookup_keys: ["seatkeeper_pro_monthly"] });
  return await losingEvents(clients, customer.id, () =>
    stripe.subscriptions.create({
      customer: customer.id,
      items: [{ price: price?.id ?? "", quantity: 5 }],
      metadata: { organization_id: id, plan: "pro", billing_period: "monthly" },
    }));
}
