import { randomBytes } from "node:crypto";
import { Buffer } from "node:buffer";

/** Every secret of one stack. They stay the same as long as its data does. */
export interface Keys {
  postgresPassword: string;
  authenticatorPassword: string;
  jwtSecret: string;
  supabasePublishableKey: string;
  supabaseSecretKey: string;
  stripeSecretKey: string;
  /** Null until Stripe has made the webhook endpoint: only then it tells the secret. */
  stripeWebhookSecret: string | null;
  clerkSecretKey: string;
  clerkPublishableKey: string;
  clerkWebhookSecret: string;
}

/** Reads the keys of a data folder, or makes new ones and keeps them there. */
export async function loadKeys(folder: string): Promise<Keys> {
  const text = await Deno.readTextFile(fileIn(folder)).catch(() => null);
  if (text !== null) return JSON.parse(text);
  const keys = newKeys();
  await saveKeys(folder, keys);
  return keys;
}

/** Keeps the keys in a data folder, readable by its owner only. */
export async function saveKeys(folder: string, keys: Keys): Promise<void> {
  await Deno.writeTextFile(fileIn(folder), JSON.stringify(keys, null, 2), { mode: 0o600 });
}

function fileIn(folder: string): string {
  return `${folder}/keys.json`;
}

/** Each key has the form that its provider's SDK expects. */
function newKeys(): Keys {
  const frontendAddress = Buffer.from("clerk.localhost$").toString("base64");
  return {
    postgresPassword: random(24),
    authenticatorPassword: random(24),
    jwtSecret: random(48),
    supabasePublishableKey: `sb_publishable_${random(24)}`,
    supabaseSecretKey: `sb_secret_${random(24)}`,
    stripeSecretKey: `sk_test_${random(24)}`,
    stripeWebhookSecret: null,
    clerkSecretKey: `sk_test_${random(24)}`,
    clerkPublishableKey: `pk_test_${frontendAddress}`,
    clerkWebhookSecret: `whsec_${randomBytes(24).toString("base64")}`,
  };
}

/** Letters and digits only, so that a key can stand in an address and be picked with two clicks. */
function random(bytes: number): string {
  return randomBytes(bytes).toString("hex");
}
