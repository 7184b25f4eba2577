/** What goes under `error` in an answer. */
export interface ErrorBody {
  type: "api_error" | "card_error" | "idempotency_error" | "invalid_request_error";
  message: string;
  code?: string | undefined;
  decline_code?: string | undefined;
  param?: string | undefined;
}

/**
 * A refusal in Stripe's shape. `saved` says whether an idempotency key keeps it: Stripe keeps what
 * an endpoint answered once it had begun to work, but not what failed the check of its parameters.
 */
export class StripeFailure extends Error {
  constructor(readonly status: number, readonly body: ErrorBody, readonly saved = true) {
    super(body.message);
  }
}

/** A request that can't be carried out, with Stripe's code for it where it has one. */
export function invalidRequest(
  message: string,
  details: { code?: string; param?: string; status?: number } = {},
): StripeFailure {
  const { status = 400, code, param } = details;
  return new StripeFailure(status, { type: "invalid_request_error", message, code, param });
}

/** The id in the address or, with `param`, in a parameter names nothing. */
export function resourceMissing(kind: string, id: string, param?: string): StripeFailure {
  return invalidRequest(`No such ${kind}: '${id}'`, {
    code: "resource_missing",
    param: param ?? "id",
    status: param === undefined ? 404 : 400,
  });
}

/**
 * The bank said no, or asks for an authentication that nobody is there to give. `of` is what was to
 * be paid.
 */
export function cardDeclined(
  reason: "declined" | "requires_action",
  of: "invoice" | "subscription" = "invoice",
): StripeFailure {
  return reason === "declined"
    ? new StripeFailure(402, {
      type: "card_error",
      code: "card_declined",
      decline_code: "generic_decline",
      message: "Your card was declined.",
    })
    : new StripeFailure(402, {
      type: "card_error",
      code: `${of}_payment_intent_requires_action`,
      message: "Payment for this subscription requires additional user action before it can be " +
        "completed successfully.",
    });
}

/** What an error of a status looks like when nothing more is known about it. */
export function failureOfStatus(status: number): StripeFailure {
  if (status === 429) {
    return invalidRequest("Request rate limit exceeded.", { status, code: "rate_limit" });
  }
  if (status === 402) return cardDeclined("declined");
  if (status < 500) return invalidRequest("The request was refused.", { status });
  const message = "An unknown error occurred";
  return new StripeFailure(status, { type: "api_error", message });
}

/** The JSON body of a refusal. */
export function errorAnswer(body: ErrorBody, requestId: string): object {
  const page = body.code?.replaceAll("_", "-");
  return {
    error: {
      ...body,
      ...(page === undefined ? {} : { doc_url: `https://stripe.com/docs/error-codes/${page}` }),
      request_log_url: `https://dashboard.stripe.com/test/logs/${requestId}`,
    },
  };
}
