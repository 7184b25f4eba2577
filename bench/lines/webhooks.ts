import Stripe from "stripe";
import { Webhook } from "svix";
import { membershipEvent, newCast } from "../../tests/functions/clerk-webhook/published_events.ts";
import {
  publishedEvent,
  publishedSubscription,
} from "../../tests/functions/stripe-webhook/published_events.ts";
import { functionEnvironment, type StackEnv } from "../../local/stack_env.ts";
import type { Bench } from "../bench.ts";
import type { Line, Result } from "../line.ts";
import { sendLoad } from "../load.ts";
import { median } from "../rounds.ts";
import { serve } from "../served/process.ts";

interface Delivery {
  readonly provider: "stripe" | "clerk";
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * The CPU time of a webhook's handler, from the request as it comes in over HTTP to its answer, in
 * relation to that of verifying the signature alone, in the same process. The database is somebody
 * else's CPU: a server in this process answers for it at once.
 */
export const webhooks: Line = {
  name: "webhooks",
  measure: async (bench) => {
    const database = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      async (request) => {
        await request.arrayBuffer();
        return Response.json({ outcome: "applied", organizationId: crypto.randomUUID() });
      },
    );
    const { env } = bench;
    const process = await serve("bench/served/webhook.ts", {
      ...functionEnvironment(env),
      SUPABASE_URL: `http://127.0.0.1:${database.addr.port}`,
    });
    try {
      const results: Result[] = [];
      for (const delivery of [await stripeDelivery(env), clerkDelivery(env)]) {
        results.push(await measureDelivery(bench, process.url, delivery));
      }
      return results;
    } finally {
      await process.stop();
      await database.shutdown();
    }
  },
};

async function measureDelivery(
  { quick }: Bench,
  url: string,
  { provider, body, headers }: Delivery,
): Promise<Result> {
  const cpuOf = async (part: string) => {
    const amount = quick ? 500 : 2000;
    const before = await cpuTime(url);
    const load = { url: `${url}/${provider}/${part}`, method: "POST", headers, body } as const;
    await sendLoad({ ...load, connections: 4, amount });
    return (await cpuTime(url) - before) / amount;
  };
  const handler: number[] = [];
  const signature: number[] = [];
  for (let round = 0; round <= 7; round++) {
    const verified = await cpuOf("signature");
    const handled = await cpuOf("handler");
    // The first round compiles the code.
    if (round === 0) continue;
    signature.push(verified);
    handler.push(handled);
  }
  return {
    what: `${provider}-webhook, CPU a request`,
    floor: "verifying the signature",
    value: median(handler.map((cpu, round) => cpu / (signature[round] ?? NaN))),
    target: { sense: "at most", value: 3, unit: "x" },
    measured: { microseconds: median(handler), floorMicroseconds: median(signature) },
  };
}

async function cpuTime(url: string): Promise<number> {
  return await (await fetch(`${url}/cpu`)).json();
}

async function stripeDelivery(env: StackEnv): Promise<Delivery> {
  const body = JSON.stringify(subscriptionUpdated());
  const header = await new Stripe(env.STRIPE_SECRET_KEY).webhooks.generateTestHeaderStringAsync({
    payload: body,
    secret: env.STRIPE_WEBHOOK_SECRET,
  });
  return { provider: "stripe", body, headers: { "stripe-signature": header } };
}

function subscriptionUpdated(): object {
  const purchase = {
    organizationId: crypto.randomUUID(),
    customerId: "cus_bench",
    subscriptionId: "sub_bench",
    at: Math.floor(Date.now() / 1000),
  };
  const subscription = publishedSubscription(purchase, 5);
  return publishedEvent(purchase, "customer.subscription.updated", subscription);
}

function clerkDelivery(env: StackEnv): Delivery {
  const body = JSON.stringify(
    membershipEvent(newCast(), { what: "created", who: "invitee", seconds: 60 }),
  );
  const id = "msg_2g7np7Hrk0SN6kj5EDMLDaKNL0S";
  const now = new Date();
  const headers = {
    "svix-id": id,
    "svix-timestamp": `${Math.floor(now.getTime() / 1000)}`,
    "svix-signature": new Webhook(env.CLERK_WEBHOOK_SIGNING_SECRET).sign(id, now, body),
  };
  return { provider: "clerk", body, headers };
}
