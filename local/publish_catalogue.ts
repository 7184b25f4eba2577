import Stripe from "stripe";
import { publishCatalogue } from "./catalogue.ts";
import { stripeClient } from "./providers.ts";

/*
 * Makes the products and prices of a project's catalogue in a Stripe account: the real one, or what
 * speaks Stripe's API at STRIPE_API_BASE.
 *
 *   SUPABASE_URL=… SUPABASE_SECRET_KEY=… STRIPE_SECRET_KEY=… npm run catalog
 */

const NAMES = ["SUPABASE_URL", "SUPABASE_SECRET_KEY", "STRIPE_SECRET_KEY"];

const missing = NAMES.filter((name) => !Deno.env.get(name));
if (missing.length > 0) {
  console.error(`Not set: ${missing.join(", ")}`);
  Deno.exit(1);
}
const [url = "", secretKey = "", stripeKey = ""] = NAMES.map((name) => Deno.env.get(name));
const base = Deno.env.get("STRIPE_API_BASE");
const stripe = base === undefined ? new Stripe(stripeKey) : stripeClient(base, stripeKey);
console.table(await publishCatalogue({ url, secretKey }, stripe));
