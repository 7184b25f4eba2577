import { Stripe } from "stripe";
import { type CatalogRow, ensureCatalog } from "../../../local/stripe/catalog.ts";
import { StripeControl } from "../../../local/stripe/control.ts";
import { startStripeEmulator, type StripeEmulatorOptions } from "../../../local/stripe/emulator.ts";
import { type Receiver, startReceiver } from "../emulation/receiver.ts";

export const SECRET_KEY = "sk_test_local";

/** A running emulator, with everything a test needs to use it. */
export interface Emulation {
  url: string;
  stripe: Stripe;
  control: StripeControl;
}

/** An SDK client of an emulator, as anyone would make one. */
export function clientOf(url: string, config: Stripe.StripeConfig = {}): Stripe {
  const { hostname: host, port } = new URL(url);
  return new Stripe(SECRET_KEY, {
    host,
    port,
    protocol: "http",
    telemetry: false,
    maxNetworkRetries: 0,
    ...config,
  });
}

/** Runs against an emulator of its own, in memory unless told otherwise. */
export async function withStripe(
  run: (emulation: Emulation) => Promise<void>,
  options: Partial<StripeEmulatorOptions> = {},
): Promise<void> {
  const emulator = await startStripeEmulator({
    statePath: null,
    secretKey: SECRET_KEY,
    retryScheduleMs: [0, 10, 10],
    ...options,
  });
  const { url } = emulator;
  try {
    await run({ url, stripe: clientOf(url), control: new StripeControl(url) });
  } finally {
    await emulator.close();
  }
}

/** The same with a webhook endpoint that takes every event. */
export function withWebhooks(
  run: (emulation: Emulation & { receiver: Receiver; secret: string }) => Promise<void>,
  options: Partial<StripeEmulatorOptions> = {},
): Promise<void> {
  return withStripe(async (emulation) => {
    const receiver = await startReceiver();
    try {
      const { secret = "" } = await emulation.stripe.webhookEndpoints.create({
        url: receiver.url,
        enabled_events: ["*"],
      });
      await run({ ...emulation, receiver, secret });
    } finally {
      await receiver.close();
    }
  }, options);
}

/** 20.00 for 3 seats and 7.00 for each further one, a month; 200.00 and 70.00 a year. */
export const ROWS: CatalogRow[] = [
  {
    plan: "pro",
    name: "Pro",
    billingPeriod: "monthly",
    lookupKey: "seatkeeper_pro_monthly",
    currency: "usd",
    baseAmount: 2000,
    seatAmount: 700,
    includedSeats: 3,
  },
  {
    plan: "pro",
    name: "Pro",
    billingPeriod: "yearly",
    lookupKey: "seatkeeper_pro_yearly",
    currency: "usd",
    baseAmount: 20_000,
    seatAmount: 7000,
    includedSeats: 3,
  },
];

/** The prices of `ROWS`. */
export async function prices(stripe: Stripe): Promise<{ monthly: string; yearly: string }> {
  const [monthly, yearly] = await ensureCatalog(stripe, ROWS);
  if (monthly === undefined || yearly === undefined) throw new Error("The catalogue is empty.");
  return { monthly: monthly.price, yearly: yearly.price };
}

/** A customer with a saved card, a test id such as `pm_card_visa`; on a test clock if one is given. */
export async function customerWith(
  stripe: Stripe,
  card: string,
  testClock?: string,
): Promise<Stripe.Customer> {
  const customer = await stripe.customers.create({
    email: "owner@example.com",
    ...(testClock === undefined ? {} : { test_clock: testClock }),
  });
  const method = await stripe.paymentMethods.attach(card, { customer: customer.id });
  return await stripe.customers.update(customer.id, {
    invoice_settings: { default_payment_method: method.id },
  });
}

/** A subscription to the monthly price of `ROWS`. */
export async function subscribe(
  stripe: Stripe,
  quantity: number,
  more: Partial<Stripe.SubscriptionCreateParams> & { card?: string } = {},
): Promise<Stripe.Subscription> {
  const { card = "pm_card_visa", ...params } = more;
  const { monthly } = await prices(stripe);
  const customer = await customerWith(stripe, card);
  return await stripe.subscriptions.create({
    customer: customer.id,
    items: [{ price: monthly, quantity }],
    expand: ["latest_invoice"],
    ...params,
  });
}

/** The first item of a subscription. */
export function itemOf(subscription: Stripe.Subscription): Stripe.SubscriptionItem {
  const [item] = subscription.items.data;
  if (item === undefined) throw new Error(`The subscription ${subscription.id} has no item.`);
  return item;
}

/** An invoice that was asked to be expanded. */
export function expanded(invoice: string | Stripe.Invoice | null): Stripe.Invoice {
  if (invoice === null || typeof invoice === "string") throw new Error("It is not expanded.");
  return invoice;
}

/** The types of all events, oldest first. */
export async function eventTypes(stripe: Stripe): Promise<string[]> {
  const types: string[] = [];
  for await (const event of stripe.events.list({ limit: 100 })) types.unshift(event.type);
  return types;
}

/** The newest event of a type, and what it says was there before. */
export async function lastEvent(stripe: Stripe, type: string) {
  const { data: [event] } = await stripe.events.list({ type, limit: 1 });
  if (event === undefined) throw new Error(`There is no event ${type}.`);
  const { object, previous_attributes: previous } = event.data;
  return { event, object: { ...object }, previous: previous === undefined ? {} : { ...previous } };
}
