import { Stripe } from "stripe";
import { newId } from "../api/ids.ts";
import type { BillableItem, Period, Proration } from "./proration.ts";
import { priceParts, productId } from "./tiers.ts";

/** The lines that bill an item for its period: one a tier, and one a flat fee. */
export function periodLines(
  item: BillableItem,
  invoice: string,
  subscription: Stripe.Subscription,
): Stripe.InvoiceLineItem[] {
  return priceParts(item, item.quantity).map(({ description, quantity, amount, unitAmount }) =>
    line({ ...fromItem(item), invoice, subscription, description, quantity, amount, unitAmount })
  );
}

/** The one line of a trial: it costs nothing. */
export function trialLine(
  item: BillableItem,
  invoice: string,
  subscription: Stripe.Subscription,
): Stripe.InvoiceLineItem {
  return line({
    ...fromItem(item),
    invoice,
    subscription,
    description: `Trial period for ${item.productName}`,
    quantity: item.quantity,
    amount: 0,
    unitAmount: Stripe.Decimal.zero,
  });
}

/** The line of an invoice item that waited for this invoice. */
export function waitingLine(
  waiting: Stripe.InvoiceItem,
  invoice: string,
  subscription: Stripe.Subscription,
): Stripe.InvoiceLineItem {
  return line({
    invoice,
    subscription,
    itemId: waiting.parent?.subscription_details?.subscription_item ?? "",
    price: priceId(waiting.pricing),
    product: waiting.pricing?.price_details?.product ?? "",
    description: waiting.description ?? "",
    quantity: waiting.quantity,
    amount: waiting.amount,
    unitAmount: null,
    period: waiting.period,
    invoiceItem: waiting.id,
  });
}

/** A proration as it waits for an invoice. */
export function invoiceItemOf(
  proration: Proration,
  subscription: Stripe.Subscription,
  customer: string,
  now: number,
): Stripe.InvoiceItem {
  const { item, price, product, currency, quantity, amount, description, period } = proration;
  return {
    id: newId("ii"),
    object: "invoiceitem",
    amount,
    currency,
    customer,
    customer_account: null,
    date: now,
    description,
    discountable: false,
    discounts: [],
    invoice: null,
    livemode: false,
    metadata: subscription.metadata,
    net_amount: amount,
    parent: {
      subscription_details: { subscription: subscription.id, subscription_item: item },
      type: "subscription_details",
    },
    period,
    pricing: {
      price_details: { price, product },
      type: "price_details",
      unit_amount_decimal: null,
    },
    proration: true,
    quantity,
    quantity_decimal: Stripe.Decimal.from(quantity),
    tax_rates: [],
    test_clock: subscription.test_clock,
  };
}

interface LineInput {
  invoice: string;
  subscription: Stripe.Subscription;
  itemId: string;
  price: string;
  product: string;
  description: string;
  quantity: number;
  amount: number;
  unitAmount: Stripe.Decimal | null;
  period: Period;
  /** Null unless the line is a proration. */
  invoiceItem: string | null;
}

function fromItem({ id, price, period }: BillableItem) {
  return { itemId: id, price: price.id, product: productId(price), period, invoiceItem: null };
}

function priceId(pricing: Stripe.InvoiceItem["pricing"]): string {
  const price = pricing?.price_details?.price ?? "";
  return typeof price === "string" ? price : price.id;
}

function line(input: LineInput): Stripe.InvoiceLineItem {
  const { subscription, amount, quantity, invoiceItem } = input;
  return {
    id: newId("il"),
    object: "line_item",
    amount,
    currency: subscription.currency,
    description: input.description,
    discount_amounts: [],
    discountable: invoiceItem === null,
    discounts: [],
    invoice: input.invoice,
    livemode: false,
    metadata: subscription.metadata,
    parent: {
      invoice_item_details: null,
      subscription_item_details: {
        invoice_item: invoiceItem,
        proration: invoiceItem !== null,
        proration_details: { credited_items: null },
        subscription: subscription.id,
        subscription_item: input.itemId,
      },
      type: "subscription_item_details",
    },
    period: input.period,
    pretax_credit_amounts: [],
    pricing: {
      price_details: { price: input.price, product: input.product },
      type: "price_details",
      unit_amount_decimal: input.unitAmount,
    },
    quantity,
    quantity_decimal: Stripe.Decimal.from(quantity),
    subscription: subscription.id,
    subtotal: amount,
    taxes: [],
  };
}
