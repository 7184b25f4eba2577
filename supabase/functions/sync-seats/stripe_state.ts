import Stripe from "stripe";
import { toJson } from "../_shared/database.ts";
import type { Json } from "../_shared/database.types.ts";
import { answeredAt, changeKey, stripeAnswer } from "../_shared/stripe.ts";
import type { Connections } from "./connections.ts";
import type { Lease } from "./reconcile.ts";

type StripeConnections = Pick<Connections, "stripe" | "stripePace">;

/** The pace tries again, and keeps count: the SDK's own tries would go past it. */
export const ONCE = { maxNetworkRetries: 0 } as const;

/**
 * All subscriptions of a customer, ended ones too, with their latest invoices, as
 * `reconcile_organization` takes them. They are read after the fence: what they don't show of the
 * change that it ended will not come any more.
 */
export async function readStripeState(
  connections: StripeConnections,
  { open_change_id: change, open_change_subscription_id: subscription }: Lease,
  customer: string,
): Promise<Json> {
  const isFenced = change !== null && subscription !== null &&
    await fence(connections, change, subscription);
  return {
    ...await readSubscriptions(connections, customer),
    fencedChangeId: isFenced ? change : null,
  };
}

/**
 * Takes the idempotency key of a change whose end nobody knows, with an update that changes nothing.
 * If that is the key's first use, Stripe refuses the change under it from now on; if Stripe tells
 * that the key was used for something else, the change has been made or refused (Stripe: idempotent
 * requests).
 *
 * @returns false while Stripe is at work on the change.
 * @throws {ApiError} `stripe_unavailable` (503).
 */
async function fence(
  { stripe, stripePace }: StripeConnections,
  change: string,
  subscription: string,
): Promise<boolean> {
  const take = async () => {
    try {
      await stripe.subscriptions.update(subscription, {}, {
        ...ONCE,
        idempotencyKey: changeKey(change),
      });
      return true;
    } catch (error) {
      if (!(error instanceof Stripe.errors.StripeError)) throw error;
      if (error.statusCode === 409) return false;
      if (isRefused(error)) return true;
      throw error;
    }
  };
  return await stripePace.call(() => stripeAnswer(take()));
}

/** The key is used up, or the subscription is gone or ended, and takes no change at all. */
function isRefused(error: unknown): boolean {
  return error instanceof Stripe.errors.StripeIdempotencyError ||
    error instanceof Stripe.errors.StripeInvalidRequestError;
}

async function readSubscriptions(
  { stripe, stripePace }: StripeConnections,
  customer: string,
): Promise<{ readAt: number; subscriptions: Json[] }> {
  const subscriptions: Json[] = [];
  let last: { starting_after?: string } = {};
  for (;;) {
    const page = await stripePace.call(() =>
      stripeAnswer(stripe.subscriptions.list({
        customer,
        status: "all",
        limit: 100,
        expand: ["data.latest_invoice"],
        ...last,
      }, ONCE))
    );
    subscriptions.push(...page.data.map(toJson));
    const lastId = page.data.at(-1)?.id;
    if (!page.has_more || lastId === undefined) return { readAt: answeredAt(page), subscriptions };
    last = { starting_after: lastId };
  }
}
