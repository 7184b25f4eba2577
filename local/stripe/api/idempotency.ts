import type { MiddlewareHandler } from "hono";
import type { AccountParts } from "../account.ts";
import { type ApiEnv, respond } from "./envelope.ts";
import { errorAnswer, invalidRequest, StripeFailure } from "./errors.ts";

const KEPT_SECONDS = 24 * 60 * 60;
const LONGEST_KEY = 255;

/** What a key's first request was and how it was answered. */
export interface SavedAnswer {
  /** Method, address and parameters. */
  request: string;
  requestId: string;
  status: number;
  /** JSON. */
  body: string;
  at: number;
}

/**
 * Stripe's idempotency keys, for POST requests: the first answer is kept for 24 hours and given
 * again, errors included. Its place is before the faults, so that a request which a fault delays is
 * under way (409 for a second one), a lost answer is kept, and a failure of status 500 is kept too,
 * as Stripe does. What was refused before the work began (429, 503, parameters that don't fit) is not
 * kept, and the same key may try again.
 */
export function idempotency(parts: AccountParts): MiddlewareHandler<ApiEnv> {
  const { answers } = parts.state;
  const underWay = new Set<string>();
  forgetOld(answers, parts.clock.now());
  return async (c, next) => {
    const key = c.req.header("idempotency-key");
    if (c.req.method !== "POST" || key === undefined || key === "") return await next();
    const request = `POST ${c.req.path}\n${c.get("form")}`;
    const known = answers[key];
    const saved = known && isOld(known, parts.clock.now()) ? undefined : known;
    const refusal = refusalOf(key, request, saved, underWay.has(key));
    if (refusal !== undefined) {
      const body = JSON.stringify(errorAnswer(refusal.body, c.get("requestId")));
      return respond(refusal.status, body);
    }
    if (saved !== undefined) {
      return respond(saved.status, saved.body, {
        "idempotent-replayed": "true",
        "original-request": saved.requestId,
      });
    }
    underWay.add(key);
    try {
      await next();
      const answer = c.get("answer") ?? await struckDown(c.res);
      if (answer?.saved) {
        const { status, body } = answer;
        const requestId = c.get("requestId");
        answers[key] = { request, requestId, status, body, at: parts.clock.now() };
      }
    } finally {
      underWay.delete(key);
    }
  };
}

function refusalOf(
  key: string,
  request: string,
  saved: SavedAnswer | undefined,
  isUnderWay: boolean,
): StripeFailure | undefined {
  if (key.length > LONGEST_KEY) {
    return invalidRequest(`Idempotency keys must be at most ${LONGEST_KEY} characters.`);
  }
  if (saved !== undefined && saved.request !== request) {
    return new StripeFailure(400, {
      type: "idempotency_error",
      message: "Keys for idempotent requests can only be used with the same parameters they were " +
        `first used with. Try using a key other than '${key}' if you meant to execute a ` +
        "different request.",
    });
  }
  if (isUnderWay) {
    return new StripeFailure(409, {
      type: "idempotency_error",
      code: "idempotency_key_in_use",
      message: "There is currently another in-progress request using this Idempotent Key (that " +
        `probably means you submitted twice, and the other request is still going through): ${key}.`,
    });
  }
  return undefined;
}

/** What a fault answered instead of the endpoint. */
async function struckDown(response: Response) {
  if (response.status !== 500) return undefined;
  return { status: 500, body: await response.clone().text(), saved: true };
}

function forgetOld(answers: Record<string, SavedAnswer>, now: number): void {
  for (const [key, answer] of Object.entries(answers)) {
    if (isOld(answer, now)) delete answers[key];
  }
}

function isOld({ at }: SavedAnswer, now: number): boolean {
  return at <= now - KEPT_SECONDS;
}
