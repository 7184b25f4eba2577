import type { AccountState } from "../account_state.ts";
import { invalidRequest } from "./errors.ts";

const DEEPEST = 4;

type Fields = Record<string, unknown>;
type Lookup = (state: AccountState, id: string) => object | undefined;

/** Fields that hold an id, wherever they stand. */
const REFERENCES: Record<string, Lookup> = {
  configuration: (state, id) => state.portalConfigurations[id],
  customer: (state, id) => state.customers[id],
  default_payment_method: (state, id) => state.paymentMethods[id],
  default_price: (state, id) => state.prices[id],
  invoice: (state, id) => state.invoices[id],
  latest_invoice: (state, id) => state.invoices[id],
  price: (state, id) => state.prices[id],
  product: (state, id) => state.products[id],
  subscription: (state, id) => state.subscriptions.get(id),
  test_clock: (state, id) => state.testClocks[id],
};

/** Fields that are left out unless asked for, by kind of object. */
const EXTRAS: Record<string, Lookup> = {
  "checkout.session.line_items": (state, id) => state.sessionDetails[id]?.lineItems,
  "customer.subscriptions": (state, id) => ({
    object: "list",
    data: state.subscriptions.of(id).reverse().filter(({ status }) => status !== "canceled"),
    has_more: false,
    url: `/v1/customers/${id}/subscriptions`,
  }),
  "price.tiers": (state, id) => state.priceTiers[id],
};

/**
 * An answer as it goes over the wire, with the expansions asked for ("customer",
 * "data.items.data.price.product"). Never touches the object itself. Throws a `StripeFailure` for a
 * property that can't be expanded.
 */
export function withExpansions(state: AccountState, object: object, paths: string[]): Fields {
  const answer = asJson(object);
  for (const path of paths) {
    const steps = path.split(".");
    if (steps.length > DEEPEST + (steps[0] === "data" ? 1 : 0)) {
      throw invalidRequest(
        `You cannot expand more than ${DEEPEST} levels of a property. Property: ${path}`,
        { param: "expand" },
      );
    }
    expandIn(state, answer, steps, path);
  }
  return answer;
}

function expandIn(state: AccountState, at: unknown, steps: string[], path: string): void {
  if (Array.isArray(at)) {
    for (const one of at) expandIn(state, one, steps, path);
    return;
  }
  const [step, ...rest] = steps;
  if (step === undefined || !isFields(at)) return;
  const value = at[step];
  const lookup = REFERENCES[step];
  if (typeof value === "string" && lookup !== undefined) {
    const found = lookup(state, value);
    if (found !== undefined) at[step] = asJson(found);
  } else if (value === undefined) {
    at[step] = extra(state, at, step, path);
  } else if (value !== null && !isThrough(value, rest)) {
    throw notExpandable(path);
  }
  expandIn(state, at[step], rest, path);
}

/** An object that stands there already, or one on the way to what is to be expanded. */
function isThrough(value: unknown, rest: string[]): boolean {
  return isFields(value) && (rest.length > 0 || "object" in value);
}

function extra(state: AccountState, owner: Fields, name: string, path: string): unknown {
  const found = EXTRAS[`${owner["object"]}.${name}`]?.(state, String(owner["id"]));
  if (found !== undefined) return asJson(found);
  if (`${owner["object"]}.${name}` in EXTRAS) return null;
  throw notExpandable(path);
}

function notExpandable(path: string) {
  return invalidRequest(`This property cannot be expanded (${path}).`, { param: "expand" });
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null;
}

function asJson(object: object): Fields {
  return JSON.parse(JSON.stringify(object));
}
