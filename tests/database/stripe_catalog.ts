import type { Stripe } from "stripe";

/** A monthly price by its lookup key; null for one that has lost it to its successor. */
export function stripePrice(lookupKey: string | null): Stripe.Price {
  return {
    id: `price_${lookupKey ?? "replaced"}`,
    object: "price",
    active: true,
    billing_scheme: "tiered",
    created: 1767225600,
    currency: "usd",
    custom_unit_amount: null,
    livemode: false,
    lookup_key: lookupKey,
    metadata: {},
    nickname: null,
    product: "prod_seats",
    recurring: {
      interval: lookupKey?.endsWith("_yearly") ? "year" : "month",
      interval_count: 1,
      meter: null,
      trial_period_days: null,
      usage_type: "licensed",
    },
    tax_behavior: "unspecified",
    tiers_mode: "graduated",
    transform_quantity: null,
    type: "recurring",
    unit_amount: null,
    unit_amount_decimal: null,
  };
}

/** A customer who has given nothing but an e-mail address. */
export function stripeCustomer(id: string): Stripe.Customer {
  return {
    id,
    object: "customer",
    balance: 0,
    created: 1767225600,
    currency: null,
    default_source: null,
    delinquent: false,
    description: null,
    discount: null,
    email: "billing@acme.example",
    invoice_prefix: "ACME",
    invoice_settings: {
      custom_fields: null,
      default_payment_method: null,
      footer: null,
      rendering_options: null,
    },
    livemode: false,
    metadata: {},
    name: "Acme",
    next_invoice_sequence: 1,
    phone: null,
    preferred_locales: [],
    shipping: null,
    tax_exempt: "none",
    test_clock: null,
  };
}
