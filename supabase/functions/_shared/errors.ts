/**
 * What a caller is told when something cannot be done: each code with its status, decided once.
 * The database raises its own, with the same meaning (`private.refuse` in the migrations).
 */
const statuses = {
  invalid_json: 400,
  invalid_request: 400,
  return_url_not_allowed: 400,
  missing_signature: 400,
  invalid_signature: 400,
  invalid_event: 400,
  idempotency_key_required: 400,
  missing_token: 401,
  invalid_token: 401,
  not_organization_admin: 403,
  secret_key_required: 403,
  not_found: 404,
  invitation_not_found: 404,
  member_not_found: 404,
  method_not_allowed: 405,
  checkout_superseded: 409,
  clerk_refused: 409,
  invitation_closed: 409,
  invitation_in_progress: 409,
  last_admin: 409,
  no_customer: 409,
  nothing_scheduled: 409,
  stripe_refused_change: 409,
  subscription_moved: 409,
  body_too_large: 413,
  internal_error: 500,
  stripe_error: 502,
  clerk_error: 502,
  change_stuck: 503,
  endpoint_closed: 503,
  price_not_found: 503,
  database_unavailable: 503,
  stripe_unavailable: 503,
  clerk_unavailable: 503,
} as const;

/** A stable code that a client can act on. */
export type ErrorCode = keyof typeof statuses;

/** What a client may need to act on an error. */
export type ErrorDetails = Readonly<Record<string, unknown>> | string;

/** What an error may carry beside its code and sentence. */
export interface ErrorOptions {
  readonly details?: ErrorDetails;
  /** Seconds after which trying again makes sense; sent as `Retry-After`. */
  readonly retryAfter?: number;
  /** What went wrong underneath, for the log. */
  readonly cause?: unknown;
}

/** An error that is meant for the caller: a status, a stable code and a sentence for people. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  readonly code: string;
  readonly details: ErrorDetails;
  readonly retryAfter: number | undefined;

  private constructor(status: number, code: string, sentence: string, options: ErrorOptions) {
    super(sentence, { cause: options.cause });
    this.status = status;
    this.code = code;
    this.details = options.details ?? {};
    this.retryAfter = options.retryAfter;
  }

  /** An error of our own. */
  static of(code: ErrorCode, sentence: string, options: ErrorOptions = {}): ApiError {
    return new ApiError(statuses[code], code, sentence, options);
  }

  /**
   * A refusal that the database raised, with the status and code that it chose. Seconds to wait
   * stand in its details as `retryAfter`.
   */
  static refusal(status: number, code: string, sentence: string, details: ErrorDetails): ApiError {
    const retryAfter = typeof details === "string" ? undefined : details["retryAfter"];
    return new ApiError(status, code, sentence, {
      details,
      ...(typeof retryAfter === "number" ? { retryAfter: Math.ceil(retryAfter) } : {}),
    });
  }
}
