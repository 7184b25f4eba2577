import type { Clients } from "../../clients.ts";
import { type Customer, forEach } from "./customers.ts";

/** One thing that happens to an organization; `n` makes it differ from time to time. */
type Happening = (clients: Clients, customer: Customer, n: number) => Promise<unknown>;

const IN_CLERK: readonly Happening[] = [
  async function joins({ clerk }, { clerkId, members }) {
    members.push((await clerk.addMember(clerkId)).publicUserData.userId);
  },
  async function leaves({ clerk }, { clerkId: organizationId, members }) {
    const userId = members.shift();
    if (userId === undefined) return;
    await clerk.client.organizations.deleteOrganizationMembership({ organizationId, userId });
  },
  async function getsAnotherRole({ clerk }, { clerkId: organizationId, members: [userId] }, n) {
    if (userId === undefined) return;
    const role = n % 2 === 0 ? "org:admin" : "org:member";
    await clerk.client.organizations.updateOrganizationMembership({ organizationId, userId, role });
  },
  async function isInvited({ clerk }, { clerkId, invitations }) {
    invitations.push(await clerk.invite(clerkId));
  },
  async function isInvitedNoMore({ clerk }, { clerkId: organizationId, invitations }) {
    const invitationId = invitations.shift();
    if (invitationId === undefined) return;
    await clerk.client.organizations.revokeOrganizationInvitation({ organizationId, invitationId });
  },
  // Who accepts stays: of whom only that was heard, the seat is kept for a quarter of an hour.
  async function accepts({ clerk }, { invitations }) {
    const id = invitations.shift();
    if (id !== undefined) await clerk.acceptInvitation(id);
  },
  async function hasAnotherName({ clerk }, { clerkId }, n) {
    await clerk.client.organizations.updateOrganization(clerkId, { name: `Renamed ${n}` });
  },
  async function isDeleted({ clerk }, customer, n) {
    if (n % 8 !== 0) return;
    await clerk.client.organizations.deleteOrganization(customer.clerkId);
    customer.isDeleted = true;
  },
];

const IN_STRIPE: readonly Happening[] = [
  async function hasAnotherQuantity({ stripe }, { subscription }, n) {
    if (subscription === null) return;
    const items = [{ id: subscription.itemId, quantity: 1 + n % 20 }];
    await stripe.subscriptions.update(subscription.id, { items });
  },
  async function paysForTheNextPeriod({ stripeControl }, { subscription }) {
    if (subscription !== null) await stripeControl.endPeriod(subscription.id, "succeeded");
  },
  async function doesNotPay({ stripeControl }, { subscription }) {
    if (subscription !== null) await stripeControl.endPeriod(subscription.id, "declined");
  },
  async function isToEnd({ stripe }, { subscription }, n) {
    if (subscription === null) return;
    const cancel_at_period_end = n % 2 === 0;
    await stripe.subscriptions.update(subscription.id, { cancel_at_period_end });
  },
  async function ends({ stripe }, customer, n) {
    if (customer.subscription === null || n % 2 !== 0) return;
    await stripe.subscriptions.cancel(customer.subscription.id);
    customer.subscription = null;
  },
];

/** To how many something happens before it is waited for the webhooks: all at once would be too much. */
const BATCH = 40;

/**
 * Lets one to three things happen to each customer, chosen by the seed, of whose webhooks Clerk and
 * Stripe lose that share. The others have arrived when it resolves to how many were lost and sent.
 */
export async function loseInHistory(
  clients: Clients,
  customers: readonly Customer[],
  { seed, share }: { seed: number; share: number },
): Promise<{ lost: number; sent: number }> {
  const controls = [clients.clerk.control, clients.stripeControl];
  for (const control of controls) {
    await control.addPolicy({ kind: "drop", times: 0, share, seed });
  }
  for (let start = 0; start < customers.length; start += BATCH) {
    await forEach(customers.slice(start, start + BATCH), async (customer, n) => {
      const index = start + n;
      for (let times = 0; times < 1 + index % 3 && !customer.isDeleted; times++) {
        const choice = seed + index * 7 + times * 5;
        const happenings = choice % 3 === 2 ? IN_STRIPE : IN_CLERK;
        await happenings[choice % happenings.length]?.(clients, customer, Math.floor(choice / 40));
      }
    });
    for (const control of controls) await control.settle({ timeoutMs: 120_000 });
  }
  let [lost, sent] = [0, 0];
  for (const control of controls) {
    for (const { id, asked, hits } of await control.policies()) {
      [lost, sent] = [lost + hits, sent + asked];
      await control.removePolicy(id);
    }
  }
  return { lost, sent };
}
