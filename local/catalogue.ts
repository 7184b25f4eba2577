import { createClient } from "@supabase/supabase-js";
import type { Stripe } from "stripe";
import type { Database } from "../supabase/functions/_shared/database.types.ts";
import { type CatalogEntry, type CatalogRow, ensureCatalog } from "./stripe/catalog.ts";

/** The project whose tables hold the catalogue. */
export interface Project {
  url: string;
  secretKey: string;
}

/**
 * Gives a Stripe account a product for each plan of a project and a price for each of its prices,
 * as the tables `plans` and `plan_prices` say. Repeating it changes nothing. Rejects when the
 * tables can't be read or Stripe refuses.
 */
export async function publishCatalogue(project: Project, stripe: Stripe): Promise<CatalogEntry[]> {
  const supabase = createClient<Database>(project.url, project.secretKey);
  const [plans, prices] = await Promise.all([
    supabase.from("plans").select("id, name, included_seats").throwOnError(),
    supabase.from("plan_prices").select().order("lookup_key").throwOnError(),
  ]);
  const byId = new Map(plans.data.map((plan) => [plan.id, plan]));
  const rows = prices.data.map((price): CatalogRow => ({
    plan: price.plan,
    name: byId.get(price.plan)?.name ?? price.plan,
    billingPeriod: price.billing_period === "yearly" ? "yearly" : "monthly",
    lookupKey: price.lookup_key,
    currency: price.currency,
    baseAmount: price.base_amount,
    seatAmount: price.seat_amount,
    includedSeats: byId.get(price.plan)?.included_seats ?? 0,
  }));
  return await ensureCatalog(stripe, rows);
}
