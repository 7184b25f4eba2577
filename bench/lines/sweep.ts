import { functionEnvironment } from "../../local/stack_env.ts";
import { type Clients, connect } from "../../tests/functions/clients.ts";
import type { Bench } from "../bench.ts";
import type { Line, Result } from "../line.ts";
import { serve } from "../served/process.ts";

/** What Stripe allows one endpoint a second, and Clerk a production instance. */
const STRIPE_PER_SECOND = 25;
const CLERK_PER_SECOND = 100;

/** How many organizations are made at the same time. */
const AT_ONCE = 8;

/** How many organizations a sweep can take before its time is over, at that pace. */
const IN_TIME = 1000;

/**
 * A sweep over organizations that agree with Clerk and Stripe, at the pace of half the providers'
 * limits, against the time that this pace alone would take: one request to Stripe and two to Clerk an
 * organization.
 */
export const sweep: Line = {
  name: "sync_seats_sweep",
  measure: (bench) => measureSweep(bench, bench.quick ? 50 : 500),
};

/**
 * The same over more than one sweep can take: several, one after the other, as the schedule sends
 * them. Takes about 18 minutes, 800 seconds of which are the pace's: only when it is asked for by its
 * name.
 */
export const longRound: Line = {
  name: "long_round",
  measure: (bench) => measureSweep(bench, bench.quick ? 1500 : 10_000),
};

async function measureSweep(bench: Bench, count: number): Promise<readonly Result[]> {
  const clients = connect(bench.env);
  try {
    await makeOrganizations(clients, count);
    // The first round takes in what Stripe has; the second one finds nothing to do.
    await sweepAt(bench, { stripe: 10_000, clerk: 10_000 }, count);
    const pace = { stripe: STRIPE_PER_SECOND, clerk: CLERK_PER_SECOND };
    const { seconds, drift } = await sweepAt(bench, pace, count);
    if (drift > 0) throw new Error(`${drift} differences in organizations that agree`);
    const floor = Math.max(count / (pace.stripe / 2), 2 * count / (pace.clerk / 2));
    return [{
      what: `sync-seats, sweep over ${count.toLocaleString("en")} organizations`,
      floor: "half the providers' limits",
      value: floor / seconds,
      target: { sense: "at least", value: 0.95, unit: "%" },
      measured: { seconds, floorSeconds: floor, organizations: count },
    }];
  } finally {
    await clients.sql.end();
  }
}

/** Makes organizations in Clerk with a subscription in Stripe each, with no webhook on the way. */
async function makeOrganizations(clients: Clients, count: number): Promise<void> {
  const prices = await clients.stripe.prices.list({ lookup_keys: ["seatkeeper_pro_monthly"] });
  const price = prices.data[0]?.id;
  if (price === undefined) throw new Error("The price is not in Stripe");
  // What is there already has been tried, as far as this sweep knows.
  await clients.sql`delete from private.organization_syncs`;
  const controls = [clients.clerk.control, clients.stripeControl];
  const policies = await Promise.all(
    controls.map((control) => control.addPolicy({ kind: "drop", times: 0 })),
  );
  const adminId = (await clients.clerk.createUser()).id;
  let made = 0;
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (made++ < count) await makeOrganization(clients, adminId, price);
  }));
  await Promise.all(controls.map((control, at) => control.removePolicy(policies[at] ?? "")));
}

async function makeOrganization(
  { clerk, stripe, sql }: Clients,
  createdBy: string,
  price: string,
): Promise<void> {
  const { organization } = await clerk.createOrganization({ createdBy });
  const customer = await stripe.customers.create({
    payment_method: "pm_card_visa",
    invoice_settings: { default_payment_method: "pm_card_visa" },
  });
  await stripe.subscriptions.create({ customer: customer.id, items: [{ price, quantity: 5 }] });
  await sql`
    with made as (
      insert into public.organizations (clerk_org_id, name, status)
      values (${organization.id}, ${organization.name}, 'approved') returning id
    )
    insert into public.organization_subscriptions (organization_id, stripe_customer_id)
    select id, ${customer.id} from made`;
}

/** Sweeps until everybody's turn has come, as the schedule does: one sweep after the other. */
async function sweepAt(
  { env }: Bench,
  pace: { readonly stripe: number; readonly clerk: number },
  count: number,
): Promise<{ readonly seconds: number; readonly drift: number }> {
  const process = await serve("supabase/functions/sync-seats/index.ts", {
    ...functionEnvironment(env),
    STRIPE_REQUESTS_PER_SECOND: `${pace.stripe}`,
    CLERK_REQUESTS_PER_SECOND: `${pace.clerk}`,
  });
  try {
    const begun = performance.now();
    let drift = 0;
    let left = count;
    while (left > 0) {
      const limit = Math.min(left, IN_TIME);
      const answer = await fetch(`${process.url}/sync-seats`, {
        method: "POST",
        headers: { apikey: env.SUPABASE_SECRET_KEY, "content-type": "application/json" },
        body: JSON.stringify({ sweep: true, limit }),
      });
      const { data } = await answer.json();
      // In the first round the emulators are what it waits for: it may end before all have had a turn.
      if (!(data?.organizations > 0) || data.failed > 0) {
        throw new Error(`Swept: ${JSON.stringify(data)}`);
      }
      left -= data.organizations;
      drift += Object.values<number>(data.drift).reduce((sum, found) => sum + found, 0);
    }
    return { seconds: (performance.now() - begun) / 1000, drift };
  } finally {
    await process.stop();
  }
}
