import assert from "node:assert/strict";
import { publishCatalogue } from "../../../local/catalogue.ts";
import { startStack } from "../../../local/stack.ts";
import { formatAmount } from "../../../supabase/functions/_shared/capacity.ts";
import { assertRefused } from "../api.ts";
import { connect } from "../clients.ts";
import { askToInvite, newAddresses } from "../manage-members/team.ts";
import {
  callSeats,
  change,
  createSubscriber,
  laterInvoices,
  preview,
  subscriptionOf,
} from "./seats.ts";
import { takeWalks } from "./walk.ts";

// What is sold in which currency is so for everybody on a stack, so this one is theirs alone.
const stack = await startStack({ dataDir: null, ports: "free" });
const clients = connect(stack.env);
const { sql, stripe } = clients;

Deno.test.afterAll(async () => {
  await sql.end();
  await stack.stop();
});

/** Sells all plans in another currency from now on, at the same numbers of its smallest unit. */
async function sellIn(currency: string): Promise<void> {
  await sql`update public.plan_prices set currency = ${currency}`;
  const { SUPABASE_URL: url, SUPABASE_SECRET_KEY: secretKey } = stack.env;
  await publishCatalogue({ url, secretKey }, stripe);
}

for (
  const { currency, five, more } of [
    { currency: "jpy", five: "¥4,700", more: "¥3,600" },
    { currency: "kwd", five: "KWD 4.700", more: "KWD 3.600" },
  ]
) {
  Deno.test(`what is sold in ${currency} is shown, charged and refused in it, to the unit`, async () => {
    await sellIn(currency);
    const shown = (amount: number) =>
      formatAmount(amount, currency, "en").replaceAll("\u00a0", " ");

    const subscriber = await createSubscriber(clients);
    const { subscription } = await subscriptionOf(clients, subscriber);
    const first = subscription.latest_invoice;
    assert(first !== null && typeof first === "object");
    assert.deepEqual([first.currency, shown(first.amount_paid)], [currency, five]);
    const { body } = await callSeats<{ nextInvoice: { amount: number; currency: string } }>(
      clients,
      subscriber,
      "GET",
      "",
    );
    assert.deepEqual([body.nextInvoice.currency, shown(body.nextInvoice.amount)], [currency, five]);

    const { dueToday, prorationDate, ...wanted } = await preview(clients, subscriber, { seats: 9 });
    assert.equal(wanted.currency, currency);
    await change(clients, subscriber, { seats: 9, prorationDate });
    const [invoice] = await laterInvoices(clients, subscriber);
    assert.deepEqual([invoice?.currency, invoice?.amount_paid], [currency, dueToday]);
    // Of a month that has just begun next to nothing is over.
    assert.equal(shown(dueToday), more);

    const full = await askToInvite(clients, subscriber, newAddresses(13));
    const { cost } = assertRefused(full, 409, "seats_full");
    assert.deepEqual(cost, {
      seats: 5,
      plan: "pro",
      billingPeriod: "monthly",
      amount: 5 * 900,
      currency,
    });
  });

  Deno.test(`in ${currency}, too, a preview is what is charged, whatever is changed whenever`, async () => {
    await sellIn(currency);
    await takeWalks(clients, { seed: 5, walks: 12, longest: 5 });
  });
}
