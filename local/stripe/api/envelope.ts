import type { MiddlewareHandler } from "hono";
import type { AccountParts } from "../account.ts";
import { API_VERSION } from "../account.ts";
import { errorAnswer, failureOfStatus, invalidRequest, StripeFailure } from "./errors.ts";
import { randomText } from "./ids.ts";

/** An endpoint's answer, and whether an idempotency key keeps it. */
export interface ApiAnswer {
  status: number;
  /** JSON. */
  body: string;
  saved: boolean;
}

/** What the layers of the API hand to one another. */
export interface ApiEnv {
  Variables: {
    requestId: string;
    /** The parameters as they were sent, from the query and the body. */
    form: string;
    /** Set by the endpoint, if the request reached it. */
    answer: ApiAnswer | undefined;
  };
}

/** A JSON response. */
export function respond(
  status: number,
  body: string,
  headers: Record<string, string> = {},
): Response {
  return new Response(body, {
    status,
    headers: { "content-type": "application/json", ...headers },
  });
}

/**
 * The outermost layer of the API: reads the request, checks the key and the version, and puts
 * Stripe's headers on every answer.
 */
export function envelope(parts: AccountParts, secretKey: string): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const requestId = `req_${randomText(14)}`;
    const query = new URL(c.req.url).search.slice(1);
    const sent = await c.req.raw.clone().text();
    c.set("requestId", requestId);
    c.set("form", [query, sent].filter((part) => part !== "").join("&"));
    const refusal = refusalOf(
      c.req.header("authorization"),
      c.req.header("stripe-version"),
      secretKey,
    );
    if (refusal === undefined) await next();
    else c.res = respond(refusal.status, JSON.stringify(errorAnswer(refusal.body, requestId)));
    c.header("request-id", requestId);
    c.header("stripe-version", API_VERSION);
    c.header("date", new Date(parts.clock.now() * 1000).toUTCString());
    const key = c.req.header("idempotency-key");
    if (key !== undefined) c.header("idempotency-key", key);
  };
}

/** Gives a failure that says nothing, as a fault may make it, a body in Stripe's shape. */
export function failuresSpeak(): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    await next();
    const { status, headers, body } = c.res;
    if (status < 400 || body !== null) return;
    const answer = errorAnswer(failureOfStatus(status).body, c.get("requestId"));
    c.res = respond(status, JSON.stringify(answer), Object.fromEntries(headers));
  };
}

function refusalOf(
  authorization: string | undefined,
  version: string | undefined,
  secretKey: string,
): StripeFailure | undefined {
  const key = /^Bearer (.*)$/i.exec(authorization ?? "")?.[1];
  if (key === undefined || key === "") {
    return invalidRequest(
      "You did not provide an API key. You need to provide your API key in the Authorization " +
        "header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
      { status: 401 },
    );
  }
  if (key !== secretKey) {
    const shown = `${key.slice(0, 8)}${"*".repeat(8)}${key.slice(-4)}`;
    return invalidRequest(`Invalid API Key provided: ${shown}`, { status: 401 });
  }
  if (version !== undefined && version !== API_VERSION) {
    return invalidRequest(
      `Invalid Stripe API version: ${version}. Only ${API_VERSION} is emulated.`,
    );
  }
  return undefined;
}
