import Stripe from "stripe";
import type { Assembly } from "./assembly.ts";
import { startClerkEmulator } from "./clerk/server.ts";
import { EmulatorControl } from "./emulation/control.ts";
import { type Keys, saveKeys } from "./keys.ts";
import { startStripeEmulator } from "./stripe/emulator.ts";

const ENDPOINT_EVENTS: Stripe.WebhookEndpointCreateParams.EnabledEvent[] = ["*"];

/** An SDK client for the Stripe emulator, or whatever speaks Stripe's API at `base`. */
export function stripeClient(base: string, secretKey: string): Stripe {
  const { hostname, port, protocol } = new URL(base);
  return new Stripe(secretKey, {
    host: hostname,
    port,
    protocol: protocol === "https:" ? "https" : "http",
    httpClient: Stripe.createFetchHttpClient(),
  });
}

/** Starts the Stripe emulator, which delivers its events to `webhookUrl`. */
export async function startStripe(
  { folder, isKept, keys, ports, parts }: Assembly,
  webhookUrl: string,
): Promise<{ url: string; webhookSecret: string }> {
  const emulator = await startStripeEmulator({
    port: ports.stripe,
    statePath: isKept ? `${folder}/stripe.json` : null,
    secretKey: keys.stripeSecretKey,
  });
  parts.defer(emulator.close);
  const stripe = stripeClient(emulator.url, keys.stripeSecretKey);
  return {
    url: emulator.url,
    webhookSecret: await ensureEndpoint(stripe, webhookUrl, folder, keys),
  };
}

/** One endpoint, at the gateway's present address, whose secret we know. */
async function ensureEndpoint(
  stripe: Stripe,
  url: string,
  folder: string,
  keys: Keys,
): Promise<string> {
  const { data: [known] } = await stripe.webhookEndpoints.list({ limit: 1 });
  if (known !== undefined && keys.stripeWebhookSecret !== null) {
    await stripe.webhookEndpoints.update(known.id, { url });
    return keys.stripeWebhookSecret;
  }
  const { secret } = await stripe.webhookEndpoints.create({ url, enabled_events: ENDPOINT_EVENTS });
  if (secret === undefined) throw new Error("Stripe made a webhook endpoint and told no secret");
  keys.stripeWebhookSecret = secret;
  await saveKeys(folder, keys);
  return secret;
}

/** Starts the Clerk emulator, which delivers its events to `webhookUrl`. */
export async function startClerk(
  { folder, isKept, keys, ports, parts }: Assembly,
  webhookUrl: string,
): Promise<{ url: string; jwtKey: string }> {
  const emulator = await startClerkEmulator({
    port: ports.clerk,
    statePath: isKept ? `${folder}/clerk.json` : null,
    secretKey: keys.clerkSecretKey,
    publishableKey: keys.clerkPublishableKey,
  });
  parts.defer(emulator.close);
  const control = new EmulatorControl(emulator.url);
  // An earlier run may have had another address.
  await control.request("DELETE", "/webhook_endpoints");
  await control.request("POST", "/webhook_endpoints", {
    url: webhookUrl,
    secret: keys.clerkWebhookSecret,
  });
  return { url: emulator.url, jwtKey: emulator.jwtKey };
}
