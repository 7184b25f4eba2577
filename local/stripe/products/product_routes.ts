import type { Stripe } from "stripe";
import { z } from "zod";
import type { Account } from "../account.ts";
import { newestFirst } from "../account_state.ts";
import type { Api } from "../api/endpoint.ts";
import { invalidRequest, resourceMissing } from "../api/errors.ts";
import { newId } from "../api/ids.ts";
import { pageOf } from "../api/listing.ts";
import {
  boolean,
  clearableText,
  isWithin,
  mergeMetadata,
  metadata,
  pagination,
  paramsOf,
  text,
  timeRange,
} from "../api/params.ts";

const fields = {
  active: boolean.optional(),
  description: clearableText.optional(),
  metadata: metadata.optional(),
  statement_descriptor: text.optional(),
  unit_label: clearableText.optional(),
  url: clearableText.optional(),
};
const createParams = paramsOf<Stripe.ProductCreateParams>()({
  ...fields,
  id: text.optional(),
  name: text,
});
const updateParams = paramsOf<Stripe.ProductUpdateParams>()({
  ...fields,
  default_price: text.optional(),
  name: text.optional(),
});
const retrieveParams = paramsOf<Stripe.ProductRetrieveParams>()({});
const listParams = paramsOf<Stripe.ProductListParams>()({
  ...pagination,
  active: boolean.optional(),
  created: timeRange.optional(),
  ids: z.array(text).optional(),
});

/** Endpoints of products. */
export function productRoutes(api: Api): void {
  api.post("/v1/products", createParams, ({ account, params }) => createProduct(account, params));
  api.post("/v1/products/:id", updateParams, ({ account, params, id }) => {
    const { expand: _, metadata: sent, ...changes } = params;
    const before = productOf(account, id);
    if (changes.default_price !== undefined) {
      if (account.state.prices[changes.default_price]?.product !== id) {
        throw resourceMissing("price", changes.default_price, "default_price");
      }
    }
    const given = Object.fromEntries(
      Object.entries(changes).filter(([, value]) => value !== undefined),
    );
    const updated = before.updated;
    const after = { ...before, ...given, metadata: mergeMetadata(before.metadata, sent), updated };
    if (JSON.stringify(after) !== JSON.stringify(before)) after.updated = account.clock.now();
    account.state.products[id] = after;
    account.emitChange("product.updated", before, after);
    return after;
  });
  api.get("/v1/products/:id", retrieveParams, ({ account, id }) => productOf(account, id));
  api.get("/v1/products", listParams, ({ account, params }) => {
    const products = newestFirst(account.state.products)
      .filter(({ active }) => params.active === undefined || active === params.active)
      .filter(({ id }) => params.ids === undefined || params.ids.includes(id))
      .filter(({ created }) => isWithin(created, params.created));
    return pageOf(products, params, "product", "/v1/products");
  });
  api.delete("/v1/products/:id", retrieveParams, ({ account, id }) => {
    const product = productOf(account, id);
    if (Object.values(account.state.prices).some((price) => price.product === id)) {
      throw invalidRequest(
        "This product cannot be deleted because it has one or more user-created prices.",
      );
    }
    delete account.state.products[id];
    account.emit("product.deleted", product);
    return { id, object: "product", deleted: true } satisfies Stripe.DeletedProduct;
  });
}

/** The product with this id. Throws resource_missing. */
export function productOf(account: Account, id: string, param?: string): Stripe.Product {
  const product = account.state.products[id];
  if (product === undefined) throw resourceMissing("product", id, param);
  return product;
}

/** Makes a product. Throws resource_already_exists where the id is taken. */
export function createProduct(
  account: Account,
  input: Omit<z.output<typeof createParams>, "expand">,
): Stripe.Product {
  const id = input.id ?? newId("prod");
  if (account.state.products[id] !== undefined) {
    throw invalidRequest("Product already exists.", { code: "resource_already_exists" });
  }
  const now = account.clock.now();
  const product: Stripe.Product = {
    id,
    object: "product",
    active: input.active ?? true,
    created: now,
    default_price: null,
    description: input.description ?? null,
    images: [],
    livemode: false,
    marketing_features: [],
    metadata: mergeMetadata({}, input.metadata),
    name: input.name,
    package_dimensions: null,
    shippable: null,
    statement_descriptor: input.statement_descriptor ?? null,
    tax_code: null,
    tax_details: null,
    type: "service",
    unit_label: input.unit_label ?? null,
    updated: now,
    url: input.url ?? null,
  };
  account.state.products[id] = product;
  account.emit("product.created", product);
  return product;
}
