import { toJson } from "../_shared/database.ts";
import type { Json } from "../_shared/database.types.ts";
import { answeredAt, stripeAnswer } from "../_shared/stripe.ts";
import type { Connections } from "./connections.ts";

/** The pace tries again, and keeps count: the SDK's own tries would go past it. */
export const ONCE = { maxNetworkRetries: 0 } as const;

/**
 * All subscriptions of a customer, ended ones too, with their latest invoices, as
 * `reconcile_organization` takes them.
 */
export async function readSubscriptions(
  { stripe, stripePace }: Pick<Connections, "stripe" | "stripePace">,
  customer: string,
): Promise<Json> {
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
