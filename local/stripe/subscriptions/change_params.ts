import { z } from "zod";
import { boolean, metadata, nonNegative, text } from "../api/params.ts";

/** Changes of items, as they are sent. */
export const itemChanges = z.array(z.strictObject({
  deleted: boolean.optional(),
  id: text.optional(),
  metadata: metadata.optional(),
  price: text.optional(),
  quantity: nonNegative.optional(),
}));

/** What becomes of prorations, as it is sent. */
export const prorationBehaviour = z.enum(["create_prorations", "always_invoice", "none"]);

/** What becomes of the billing cycle, as it is sent. */
export const cycleAnchor = z.strictObject({ type: z.enum(["now", "unchanged"]) });

/** What a change that can't be paid at once comes to, as it is sent. */
export const paymentBehaviour = z.enum([
  "allow_incomplete",
  "error_if_incomplete",
  "pending_if_incomplete",
]).default("allow_incomplete");
