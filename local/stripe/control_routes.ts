import { type Context, Hono } from "hono";
import { z } from "zod";
import type { Account } from "./account.ts";
import { StripeFailure } from "./api/errors.ts";
import { settleDelayed } from "./checkout/completion.ts";
import { sessionOf } from "./checkout/session.ts";
import { collectAs } from "./invoices/invoice_routes.ts";
import { cancelForNonPayment, expireIncomplete, markUnpaid } from "./subscriptions/ending.ts";
import { expirePending } from "./subscriptions/pending_update.ts";
import { endPeriod, endTrial } from "./subscriptions/renewal.ts";
import { subscriptionOf } from "./subscriptions/subscription.ts";
import { inFrameOf } from "./test_clocks/frame.ts";

const chargeOutcome = z.enum(["succeeded", "declined", "requires_action"]);
const renewalInput = z.strictObject({
  payment: z.union([z.literal("card"), chargeOutcome]).default("card"),
});
const payInput = z.strictObject({ outcome: chargeOutcome.default("succeeded") });
const settleInput = z.strictObject({ outcome: z.enum(["succeeded", "failed"]) });
const retriesInput = z.strictObject({
  customer: z.string().optional(),
  outcome: z.enum(["canceled", "unpaid", "past_due"]),
});
const noInput = z.strictObject({});

/**
 * What only Stripe, a bank or the passing of time does; to be mounted at `/_emulator`. Each is a
 * POST with a JSON body (or none) and answers with the object that it changed.
 *
 * - `/subscriptions/:id/end_period { payment? }` bills the next period, or ends a subscription that
 *   is to end. `payment`: "card" (the saved card decides, the default), "succeeded", "declined" or
 *   "requires_action".
 * - `/subscriptions/:id/end_trial { payment? }`
 * - `/subscriptions/:id/mark_unpaid`, `/subscriptions/:id/cancel_for_non_payment`: the retries of a
 *   past_due subscription are used up.
 * - `/subscriptions/:id/expire_incomplete`: the first payment never came.
 * - `/subscriptions/:id/expire_pending_update`: the payment for a pending update never came.
 * - `/invoices/:id/pay { outcome? }` collects an open invoice, whatever the saved card would say.
 * - `/retries { outcome, customer? }`: what the account (or one customer of it) is set to do when the
 *   last retry has failed: "canceled", "unpaid" or "past_due". Answers with the settings.
 * - `/checkout/sessions/:id/settle { outcome }`: the bank's word on a delayed payment, "succeeded"
 *   or "failed".
 */
export function controlRoutes(account: () => Account, changed: () => void): Hono {
  const app = new Hono();
  const on = <S extends z.ZodType>(
    path: string,
    schema: S,
    work: (account: Account, id: string, input: z.output<S>) => object,
  ) =>
    app.post(path, async (c) => {
      const text = await c.req.text();
      const input = schema.parse(text === "" ? {} : JSON.parse(text));
      const id = c.req.param("id") ?? "";
      const object = work(inFrameOf(account(), id), id, input);
      changed();
      return c.json(JSON.parse(JSON.stringify(object)));
    });
  const subscription = subscriptionOf;
  on("/subscriptions/:id/end_period", renewalInput, (account, id, { payment }) => {
    return endPeriod(account, subscription(account, id), payment);
  });
  on("/subscriptions/:id/end_trial", renewalInput, (account, id, { payment }) => {
    return endTrial(account, subscription(account, id), payment);
  });
  on("/subscriptions/:id/mark_unpaid", noInput, (account, id) => {
    return markUnpaid(account, subscription(account, id));
  });
  on("/subscriptions/:id/cancel_for_non_payment", noInput, (account, id) => {
    return cancelForNonPayment(account, subscription(account, id));
  });
  on("/subscriptions/:id/expire_incomplete", noInput, (account, id) => {
    return expireIncomplete(account, subscription(account, id));
  });
  on("/subscriptions/:id/expire_pending_update", noInput, (account, id) => {
    return expirePending(account, subscription(account, id));
  });
  on("/invoices/:id/pay", payInput, (account, id, { outcome }) => collectAs(account, id, outcome));
  on("/retries", retriesInput, (account, _, { customer, outcome }) => {
    const { retrySettings: settings } = account.state;
    if (customer === undefined) settings.standard = outcome;
    else settings.byCustomer[customer] = outcome;
    return settings;
  });
  on("/checkout/sessions/:id/settle", settleInput, (account, id, { outcome }) => {
    return settleDelayed(account, sessionOf(account, id), outcome);
  });
  app.onError(refuse);
  return app;
}

function refuse(error: Error, c: Context): Response {
  const status = error instanceof StripeFailure ? error.status : 400;
  return c.json({ error: error.message }, status === 404 ? 404 : 400);
}
