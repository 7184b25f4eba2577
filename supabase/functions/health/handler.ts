import { type Handler, withBoundary } from "../_shared/boundary.ts";
import { answerOf, type ServiceClient } from "../_shared/database.ts";
import { describeError, log } from "../_shared/log.ts";

/** What the handler works with. */
export interface Dependencies {
  readonly database: ServiceClient;
}

/** How the caller has shown who he is. */
export type Credential = "secret key" | "nothing";

/** How long the database may take to say that it is up, in milliseconds. */
const UP_TIME_LIMIT = 2000;

/** How long it may take for the report. */
const REPORT_TIME_LIMIT = 20_000;

/**
 * `GET` or `HEAD` → 200 `{ status: "up" }`, or 503 `{ status: "down" }` when the database does not
 * answer in time or takes no writes. One short question to the database, and no word to anyone else:
 * cheap enough for a load balancer.
 *
 * With the secret key a `GET` that finds it up answers `health_report()` beside the status.
 *
 * @param credential what the wrapper in `index.ts` has verified.
 */
export function createHandler({ database }: Dependencies, credential: Credential): Handler {
  return withBoundary("health", ["GET", "HEAD"], async (request, { requestId }) => {
    const isUp = await isDatabaseUp(database, requestId);
    if (!isUp) return answer(request, 503, { status: "down" });
    if (credential === "nothing" || request.method === "HEAD") {
      return answer(request, 200, { status: "up" });
    }
    const report = await answerOf(
      database.rpc("health_report").abortSignal(AbortSignal.timeout(REPORT_TIME_LIMIT)),
    );
    return answer(request, 200, { status: "up", ...Object(report) });
  });
}

async function isDatabaseUp(database: ServiceClient, requestId: string): Promise<boolean> {
  try {
    const isUp = await answerOf(
      database.rpc("is_up").abortSignal(AbortSignal.timeout(UP_TIME_LIMIT)),
    );
    if (!isUp) log("error", "database takes no writes", { function: "health", requestId });
    return isUp;
  } catch (error) {
    log("error", "database down", {
      function: "health",
      requestId,
      cause: describeError(error),
    });
    return false;
  }
}

function answer({ method }: Request, status: number, body: object): Response {
  const headers = { "Cache-Control": "no-store", "Content-Type": "application/json" };
  return new Response(method === "HEAD" ? null : JSON.stringify(body), { status, headers });
}
