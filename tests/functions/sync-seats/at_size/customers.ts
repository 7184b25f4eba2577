import type { Clients } from "../../clients.ts";
import { priceOf } from "../../stripe-webhook/subscriptions.ts";

/** How many things are done at the same time. */
const AT_ONCE = 16;

/** What a test remembers of an organization, to go on with its history. */
export interface Customer {
  readonly clerkId: string;
  /** Stripe's; null for one that has bought nothing. */
  readonly stripeId: string | null;
  /** The one that is alive. */
  subscription: { readonly id: string; readonly itemId: string } | null;
  /** Clerk's user ids, the admin and those who accepted aside. */
  readonly members: string[];
  /** Clerk's ids of the pending invitations. */
  readonly invitations: string[];
  isDeleted: boolean;
}

/** Does something with each of many, several at the same time. */
export async function forEach<Item>(
  items: readonly Item[],
  work: (item: Item, index: number) => Promise<void>,
): Promise<void> {
  const queue = items.entries();
  const worker = async () => {
    for (const [index, item] of queue) await work(item, index);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

/**
 * Makes organizations in Clerk and Stripe, each with one to four people, up to two invitations and,
 * three of four, a paid subscription, while all webhooks are lost. Postgres gets no more than its
 * row and its customer: the rest is for a sweep.
 */
export async function createCustomers(clients: Clients, count: number): Promise<Customer[]> {
  const { clerk, stripeControl } = clients;
  const controls = [clerk.control, stripeControl];
  const policies = await Promise.all(
    controls.map((control) => control.addPolicy({ kind: "drop", times: 0 })),
  );
  const users: string[] = [];
  await forEach(Array.from({ length: 40 }), async () => {
    users.push((await clerk.createUser()).id);
  });
  const price = await priceOf(clients, "seatkeeper_pro_monthly");
  const customers: Customer[] = [];
  await forEach(Array.from({ length: count }), async (_, n) => {
    customers.push(await createCustomer(clients, n, users, price));
  });
  await introduce(clients, customers);
  await Promise.all(
    controls.map((control, n) => control.removePolicy(policies[n] ?? "")),
  );
  return customers;
}

async function createCustomer(
  clients: Clients,
  n: number,
  users: readonly string[],
  price: string,
): Promise<Customer> {
  const { clerk } = clients;
  const [admin, ...others] = Array.from({ length: 1 + n % 4 }, (_, m) => users[(n + m) % 40] ?? "");
  const { organization: { id: clerkId } } = await clerk.createOrganization({
    name: `Customer ${n}`,
    ...(admin === undefined ? {} : { createdBy: admin }),
  });
  for (const userId of others) await clerk.addMember(clerkId, { userId });
  const invitations: string[] = [];
  for (let m = 0; m < n % 3; m++) invitations.push(await clerk.invite(clerkId));
  const bought = n % 4 === 3 ? null : await subscribe(clients, price, 4 + n % 12);
  return {
    clerkId,
    stripeId: bought?.customer ?? null,
    subscription: bought?.subscription ?? null,
    members: others,
    invitations,
    isDeleted: false,
  };
}

async function subscribe({ stripe }: Clients, price: string, quantity: number) {
  const { id: customer } = await stripe.customers.create({
    payment_method: "pm_card_visa",
    invoice_settings: { default_payment_method: "pm_card_visa" },
  });
  const { id, items } = await stripe.subscriptions.create({
    customer,
    items: [{ price, quantity }],
  });
  return { customer, subscription: { id, itemId: items.data[0]?.id ?? "" } };
}

/** Enters what only Postgres knows: which organization has which customer. */
async function introduce({ sql }: Clients, customers: readonly Customer[]): Promise<void> {
  const rows = customers.map(({ clerkId, stripeId }) => ({ clerkId, stripeId }));
  await sql`
    with known as (
      insert into public.organizations (clerk_org_id, name, status)
      select "clerkId", '', 'approved'
      from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) as r ("clerkId" text)
      returning id, clerk_org_id
    )
    select public.attach_stripe_customer(known.id, r."stripeId", 'test')
    from known
    join jsonb_to_recordset(${
    JSON.stringify(rows)
  }::text::jsonb) as r ("clerkId" text, "stripeId" text)
      on r."clerkId" = known.clerk_org_id
    where r."stripeId" is not null`;
}
