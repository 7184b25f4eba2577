import assert from "node:assert/strict";
import { type Handler, withBoundary } from "../../supabase/functions/_shared/boundary.ts";
import { ApiError } from "../../supabase/functions/_shared/errors.ts";
import { printedBy } from "./printed.ts";

interface Outcome {
  response: Response;
  body: Record<string, unknown>;
  /** The lines of the log. */
  log: Record<string, unknown>[];
}

async function outcomeOf(handler: Handler, init: RequestInit = { method: "POST" }) {
  let response = new Response();
  const printed = await printedBy(async () => {
    response = await handler(new Request("http://localhost/", init));
  });
  const outcome: Outcome = {
    response,
    body: await response.json(),
    log: printed.map(({ line }) => JSON.parse(line)),
  };
  return outcome;
}

/** A function that fails like this. */
function failing(error: unknown): Handler {
  return withBoundary("some-function", ["POST"], () => Promise.reject(error));
}

Deno.test("withBoundary() hands on what the handler answers, and writes no log", async () => {
  const handler = withBoundary("some-function", ["POST"], (_, { requestId }) => {
    return Promise.resolve(Response.json({ requestId }, { status: 201 }));
  });
  const { response, body, log } = await outcomeOf(handler);
  assert.equal(response.status, 201);
  assert.match(String(body["requestId"]), /^[0-9a-f-]{36}$/);
  assert.deepEqual(log, []);
});

Deno.test("withBoundary() answers an ApiError as it says, under the request id of the log", async () => {
  const { response, body, log } = await outcomeOf(
    failing(ApiError.refusal(409, "seats_full", "All seats are taken.", { available: 0 })),
  );
  assert.equal(response.status, 409);
  const { requestId, ...rest } = body;
  assert.deepEqual(rest, {
    error: "All seats are taken.",
    code: "seats_full",
    details: { available: 0 },
  });
  assert.deepEqual(log, [
    {
      level: "info",
      message: "request refused",
      function: "some-function",
      requestId,
      status: 409,
      code: "seats_full",
    },
  ]);
});

Deno.test("withBoundary() logs what went wrong underneath, and answers nothing of it", async () => {
  const error = ApiError.of("stripe_unavailable", "Stripe did not answer. Try again.", {
    retryAfter: 7,
    cause: new Error("Stripe 500 api_error (req_123)"),
  });
  const { response, body, log } = await outcomeOf(failing(error));
  assert.equal(response.status, 503);
  assert.equal(response.headers.get("retry-after"), "7");
  assert(!JSON.stringify(body).includes("req_123"));
  assert.equal(log[0]?.["level"], "error");
  assert.match(String(log[0]["cause"]), /Stripe 500 api_error \(req_123\)/);
});

for (const error of [new Error("password is hunter2"), "hunter2", undefined]) {
  Deno.test(`withBoundary() answers ${error} as an internal error and keeps it to the log`, async () => {
    const { response, body, log } = await outcomeOf(failing(error));
    assert.equal(response.status, 500);
    assert.equal(body["code"], "internal_error");
    assert(!JSON.stringify(body).includes("hunter2"));
    assert.equal(log[0]?.["level"], "error");
    if (error !== undefined) assert.match(String(log[0]["cause"]), /hunter2/);
  });
}

Deno.test("withBoundary() catches what is thrown before the first wait", async () => {
  const handler = withBoundary("some-function", ["POST"], () => {
    throw new Error("at once");
  });
  assert.equal((await outcomeOf(handler)).response.status, 500);
});

Deno.test("withBoundary() answers other methods with those that it takes", async () => {
  const handler = withBoundary("some-function", ["GET", "POST"], () => assert.fail("It ran"));
  const { response, body } = await outcomeOf(handler, { method: "DELETE" });
  assert.equal(response.status, 405);
  assert.equal(response.headers.get("allow"), "GET, POST");
  assert.equal(body["code"], "method_not_allowed");
  assert.equal(body["error"], "Use GET or POST.");
});
