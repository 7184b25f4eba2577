import assert from "node:assert/strict";
import { ApiError } from "../../supabase/functions/_shared/errors.ts";

Deno.test("ApiError.of() gives a code its status", () => {
  const error = ApiError.of("stripe_error", "Stripe refused the request.");
  assert.equal(error.status, 502);
  assert.equal(error.code, "stripe_error");
  assert.equal(error.message, "Stripe refused the request.");
  assert.deepEqual(error.details, {});
  assert.equal(error.retryAfter, undefined);
});

Deno.test("ApiError.of() carries details, when to try again and what went wrong underneath", () => {
  const cause = new Error("connection refused");
  const error = ApiError.of("clerk_unavailable", "Clerk did not answer.", {
    details: { field: "x" },
    retryAfter: 7,
    cause,
  });
  assert.deepEqual(error.details, { field: "x" });
  assert.equal(error.retryAfter, 7);
  assert.equal(error.cause, cause);
});

Deno.test("ApiError.refusal() keeps the status and the code that the database chose", () => {
  const error = ApiError.refusal(409, "seats_full", "All seats are taken.", { available: 0 });
  assert.equal(error.status, 409);
  assert.equal(error.code, "seats_full");
  assert.deepEqual(error.details, { available: 0 });
});
