import assert from "node:assert/strict";
import { stackEnv } from "../../stack.ts";
import { assertRefused, callFunction, functionsOf } from "../api.ts";
import { connect } from "../clients.ts";
import { createOrganization } from "../organizations.ts";
import { nameOf, ROUTES } from "./routes.ts";
import { callSeats, changesOf, clickChange, createSubscriber } from "./seats.ts";

const clients = connect(stackEnv());

Deno.test("a browser of any origin may call it", async () => {
  const { status, headers } = await callFunction(
    functionsOf(clients),
    `manage-seats/${crypto.randomUUID()}/change`,
    {
      method: "OPTIONS",
      headers: {
        origin: "https://app.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,idempotency-key",
      },
    },
  );
  assert.equal(status, 204);
  assert.equal(headers.get("access-control-allow-origin"), "*");
  for (const method of ["GET", "POST", "DELETE"]) {
    assert.match(headers.get("access-control-allow-methods") ?? "", new RegExp(`\\b${method}\\b`));
  }
  assert.match(headers.get("access-control-allow-headers") ?? "", /idempotency-key/i);
});

for (const method of ["PUT", "PATCH", "HEAD"]) {
  Deno.test(`${method} is answered with the methods to use`, async () => {
    const organization = await createOrganization(clients);
    const { status, headers } = await callSeats(clients, organization, method, "/change");
    assert.equal(status, 405);
    assert.equal(headers.get("allow"), "GET, POST, DELETE");
  });
}

for (
  const [method, route] of [
    ["GET", "/change"],
    ["GET", "/preview"],
    ["POST", "/changes"],
    ["POST", ""],
    ["DELETE", ""],
    ["GET", "/scheduled-change"],
    ["GET", "/portal/1"],
    ["POST", "/chang"],
  ] as const
) {
  Deno.test(`${method} ${route === "" ? "/" : route} is no route`, async () => {
    const organization = await createOrganization(clients);
    assertRefused(await callSeats(clients, organization, method, route), 404, "not_found");
  });
}

Deno.test("without an organization there is no route", async () => {
  const { token } = await createOrganization(clients);
  for (const name of ["manage-seats", "manage-seats/"]) {
    const answer = await callFunction(functionsOf(clients), name, { method: "GET", token });
    assertRefused(answer, 404, "not_found");
  }
});

for (const route of ROUTES) {
  Deno.test(`${nameOf(route)} refuses an organization's id that is no UUID`, async () => {
    const { token } = await createOrganization(clients);
    for (const id of ["1", "org_1", "00000000-0000-0000-0000-00000000000g", "%00"]) {
      const answer = await callSeats(clients, { id, token }, route.method, route.route, route.call);
      assertRefused(answer, 400, "invalid_request");
    }
  });
}

/** The routes that are sent something. */
const WITH_BODY = ROUTES.filter(({ method }) => method === "POST");

for (
  const [what, raw] of [
    ["nothing", ""],
    ["half an object", '{"seats":'],
    ["a form", "seats=5"],
  ] as const
) {
  Deno.test(`${what} is no JSON`, async () => {
    const organization = await createOrganization(clients);
    for (const { route } of WITH_BODY) {
      assertRefused(
        await callSeats(clients, organization, "POST", route, { raw }),
        400,
        "invalid_json",
      );
    }
  });
}

for (
  const [field, wish] of [
    ["seats", {}],
    ["seats", { seats: null }],
    ["seats", { seats: "9" }],
    ["seats", { seats: 9.5 }],
    ["seats", { seats: -1 }],
    ["seats", { seats: 1e9 }],
    ["seats", { seats: [9] }],
    ["plan", { seats: 9, plan: 1 }],
    ["plan", { seats: 9, plan: "p".repeat(65) }],
    ["plan", { seats: 9, plan: null }],
    ["billingPeriod", { seats: 9, billingPeriod: 12 }],
    ["", { seats: 9, price: "price_1" }],
    ["", [9]],
    ["", null],
  ] as const
) {
  Deno.test(`the wish ${JSON.stringify(wish).slice(0, 40)} is refused`, async () => {
    const organization = await createOrganization(clients);
    for (const route of ["/preview", "/change"]) {
      const headers = { "idempotency-key": crypto.randomUUID() };
      const answer = await callSeats(clients, organization, "POST", route, {
        raw: JSON.stringify(wish),
        headers,
      });
      const { issues } = assertRefused(answer, 400, "invalid_request");
      assert.deepEqual((issues as { path: string }[]).map(({ path }) => path), [field]);
    }
  });
}

for (const prorationDate of ["yesterday", 1_800_000_000, "2026-11-21", ""]) {
  Deno.test(`the proration date ${JSON.stringify(prorationDate)} is refused`, async () => {
    const organization = await createOrganization(clients);
    const answer = await clickChange(clients, organization, { seats: 9, prorationDate });
    assertRefused(answer, 400, "invalid_request");
  });
}

Deno.test("a body over the limit is refused", async () => {
  const organization = await createOrganization(clients);
  const raw = JSON.stringify({ seats: 9 }).padEnd(64 * 1024 + 1);
  for (const { route } of WITH_BODY) {
    const answer = await callSeats(clients, organization, "POST", route, { raw });
    assertRefused(answer, 413, "body_too_large");
  }
});

Deno.test("a change without an Idempotency-Key is refused, and changes nothing", async () => {
  const subscriber = await createSubscriber(clients);
  for (const key of [undefined, "", "k".repeat(201)]) {
    const answer = await callSeats(clients, subscriber, "POST", "/change", {
      body: { seats: 9 },
      ...(key === undefined ? {} : { headers: { "idempotency-key": key } }),
    });
    assertRefused(answer, 400, "idempotency_key_required");
  }
  assert.deepEqual(await changesOf(clients, subscriber), []);
});

Deno.test("an Idempotency-Key of full length is taken", async () => {
  const subscriber = await createSubscriber(clients);
  const { status } = await clickChange(clients, subscriber, { seats: 9 }, "k".repeat(200));
  assert.equal(status, 200);
});

for (const page of ["limit=0", "limit=101", "limit=x", "limit=1.5", "cursor=-1", "cursor=next"]) {
  Deno.test(`the page ${page} is refused`, async () => {
    const organization = await createOrganization(clients);
    for (const route of ["", "/changes"]) {
      const answer = await callSeats(clients, organization, "GET", `${route}?${page}`);
      assertRefused(answer, 400, "invalid_request");
    }
  });
}
