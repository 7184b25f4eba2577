import process from "node:process";
import { createHandler as createClerkHandler } from "../../supabase/functions/clerk-webhook/handler.ts";
import { verifySignature as verifyClerk } from "../../supabase/functions/clerk-webhook/signature.ts";
import { createHandler as createStripeHandler } from "../../supabase/functions/stripe-webhook/handler.ts";
import { verifySignature as verifyStripe } from "../../supabase/functions/stripe-webhook/signature.ts";
import { readConfig } from "../../supabase/functions/_shared/config.ts";
import { connectDatabase } from "../../supabase/functions/_shared/database.ts";
import { limitPusher } from "../../supabase/functions/_shared/limit_pusher.ts";
import { connectStripe } from "../../supabase/functions/_shared/stripe.ts";

/*
 * Serves the two webhooks' handlers, and beside each of them what verifies the signature and does
 * nothing else: `/stripe/handler`, `/stripe/signature`, `/clerk/handler`, `/clerk/signature`.
 * `/cpu` answers the CPU time that this process has used, in microseconds.
 */

const config = readConfig(
  "STRIPE_SECRET_KEY",
  "STRIPE_API_BASE",
  "STRIPE_WEBHOOK_SECRET",
  "CLERK_SECRET_KEY",
  "CLERK_API_URL",
  "CLERK_WEBHOOK_SIGNING_SECRET",
);
const database = connectDatabase();
const pushLimit = limitPusher(database, config);
const stripe = connectStripe(config);
const secrets = config.STRIPE_WEBHOOK_SECRET;
const clerkSecrets = config.CLERK_WEBHOOK_SIGNING_SECRET;

const routes: Readonly<Record<string, (request: Request) => Promise<Response>>> = {
  "/stripe/handler": createStripeHandler({ secrets, database, stripe, pushLimit }),
  "/stripe/signature": async (request) => {
    const header = request.headers.get("stripe-signature");
    await verifyStripe(stripe, secrets, header, await request.text());
    return Response.json({ received: true });
  },
  "/clerk/handler": createClerkHandler({ secrets: clerkSecrets, database, pushLimit }),
  "/clerk/signature": async (request) => {
    verifyClerk(clerkSecrets, request.headers, await request.text());
    return Response.json({ received: true });
  },
  "/cpu": () => {
    const { user, system } = process.cpuUsage();
    return Promise.resolve(Response.json(user + system));
  },
};

export default {
  fetch: (request: Request) =>
    routes[new URL(request.url).pathname]?.(request) ?? new Response(null, { status: 404 }),
};
