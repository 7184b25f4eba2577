import type { Stripe } from "stripe";
import { draftOf, type InvoiceInput } from "./invoice.ts";
import { waitingLine } from "./invoice_lines.ts";

/** Everything that decides what is on an invoice. */
export interface Composition extends Omit<InvoiceInput, "id" | "lines"> {
  /** Given the invoice's id; the lines of what waits come after them. */
  lines: (invoice: string) => Stripe.InvoiceLineItem[];
  /** Invoice items that the invoice takes up. */
  waiting: readonly Stripe.InvoiceItem[];
}

/**
 * An invoice as a draft, line by line. Computes; changes nothing, so that a preview and the invoice
 * that is made later come from the same lines of code.
 */
export function compose(id: string, composition: Composition): Stripe.Invoice {
  const { lines, waiting, ...input } = composition;
  const { subscription } = input;
  return draftOf({
    ...input,
    id,
    lines: [...lines(id), ...waiting.map((item) => waitingLine(item, id, subscription))],
  });
}
