import assert from "node:assert/strict";
import { stackEnv } from "../../stack.ts";
import { assertRefused, type Call, callFunction, functionsOf } from "../api.ts";
import { connect } from "../clients.ts";
import { createOrganization } from "../organizations.ts";
import { intentsOf } from "../rows.ts";

const clients = connect(stackEnv());
const call = (request: Call) =>
  callFunction(functionsOf(clients), "create-seat-checkout-session", request);

Deno.test("a browser of any origin may call it", async () => {
  const { status, headers } = await call({
    method: "OPTIONS",
    headers: {
      origin: "https://app.example",
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization,content-type",
    },
  });
  assert.equal(status, 204);
  assert.equal(headers.get("access-control-allow-origin"), "*");
  assert.match(headers.get("access-control-allow-methods") ?? "", /\bPOST\b/);
  assert.match(headers.get("access-control-allow-headers") ?? "", /authorization.*content-type/);
});

Deno.test("a browser may read a refusal", async () => {
  const answer = await call({ headers: { origin: "https://app.example" } });
  assertRefused(answer, 401, "missing_token");
  assert.equal(answer.headers.get("access-control-allow-origin"), "*");
});

for (const method of ["GET", "PUT", "PATCH", "DELETE"]) {
  Deno.test(`${method} is answered with the method to use`, async () => {
    const answer = await call({ method });
    assertRefused(answer, 405, "method_not_allowed");
    assert.equal(answer.headers.get("allow"), "POST");
  });
}

for (
  const [what, raw] of [
    ["nothing", ""],
    ["half an object", '{"organizationId":'],
    ["a form", "plan=pro&seats=5"],
    ["JSON with a comment", '{} // "plan"'],
  ] as const
) {
  Deno.test(`${what} is no JSON`, async () => {
    const { token } = await createOrganization(clients);
    assertRefused(await call({ token, raw }), 400, "invalid_json");
  });
}

for (const raw of ["null", "5", '"pro"', "[]"]) {
  Deno.test(`the JSON ${raw} is no wish`, async () => {
    const { token } = await createOrganization(clients);
    assertRefused(await call({ token, raw }), 400, "invalid_request");
  });
}

Deno.test("a body over the limit is refused", async () => {
  const organization = await createOrganization(clients);
  const wish = {
    organizationId: organization.id,
    plan: "pro",
    seats: 5,
    billingPeriod: "monthly",
  };
  const raw = JSON.stringify(wish).padEnd(64 * 1024 + 1);
  assertRefused(await call({ token: organization.token, raw }), 413, "body_too_large");
  assert.deepEqual(await intentsOf(clients.sql, organization), []);

  const fitting = raw.slice(0, -1);
  assert.equal((await call({ token: organization.token, raw: fitting })).status, 200);
});

Deno.test("a stranger's body is not even read", async () => {
  assertRefused(await call({ raw: "x".repeat(64 * 1024 + 1) }), 401, "missing_token");
});
