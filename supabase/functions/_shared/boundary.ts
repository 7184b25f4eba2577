import { ApiError } from "./errors.ts";
import { describeError, log } from "./log.ts";

/** What every function is in the end. */
export type Handler = (request: Request) => Promise<Response>;

/** What a handler knows of the request that it answers. */
export interface RequestContext {
  /** Goes into every log line and every error, so that one can be found from the other. */
  readonly requestId: string;
}

/**
 * The one place where errors become responses: `{ error, code, details, requestId }`. An `ApiError`
 * is answered as it says; anything else is logged and answered as `internal_error` (500).
 *
 * @param name the function's name, for the log.
 * @param methods the HTTP methods it takes; others are answered `method_not_allowed` (405).
 * @param handle the work itself.
 */
export function withBoundary(
  name: string,
  methods: readonly string[],
  handle: (request: Request, context: RequestContext) => Promise<Response>,
): Handler {
  return async (request) => {
    const requestId = crypto.randomUUID();
    try {
      if (!methods.includes(request.method)) {
        throw ApiError.of("method_not_allowed", `Use ${methods.join(" or ")}.`);
      }
      return await handle(request, { requestId });
    } catch (error) {
      const answer = toApiError(error);
      log(answer.status >= 500 ? "error" : "info", "request refused", {
        function: name,
        requestId,
        status: answer.status,
        code: answer.code,
        cause: answer.status >= 500 ? describeError(error) : undefined,
      });
      return toResponse(answer, requestId, methods);
    }
  };
}

function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  return ApiError.of("internal_error", "Something went wrong on our side.", { cause: error });
}

function toResponse(error: ApiError, requestId: string, methods: readonly string[]): Response {
  const headers = new Headers();
  if (error.retryAfter !== undefined) headers.set("Retry-After", String(error.retryAfter));
  if (error.status === 405) headers.set("Allow", methods.join(", "));
  return Response.json(
    { error: error.message, code: error.code, details: error.details, requestId },
    { status: error.status, headers },
  );
}
