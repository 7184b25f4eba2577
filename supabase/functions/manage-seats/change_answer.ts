import * as z from "zod";

/** A change of what is paid for, as the database and clients know it. */
export const changeSchema = z.object({
  seatChangeId: z.uuid(),
  state: z.enum([
    "open",
    "awaiting_payment",
    "scheduled",
    "completed",
    "failed",
    "expired",
    "superseded",
    "stuck",
  ]),
  kind: z.enum(["now", "renewal"]),
  seats: z.int(),
  plan: z.string(),
  billingPeriod: z.string(),
  /** When a scheduled change takes effect. */
  effectiveAt: z.string().nullable(),
  /** Stripe's page to pay on, while the payment is awaited. */
  paymentUrl: z.string().nullable(),
  /** The code that Stripe refused the change with. */
  error: z.string().nullable(),
});

/** A change of what is paid for. */
export type Change = z.infer<typeof changeSchema>;
