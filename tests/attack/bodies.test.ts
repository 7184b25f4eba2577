import assert from "node:assert/strict";
import { stackEnv } from "../stack.ts";
import { assertRefused, callFunction } from "../functions/api.ts";
import { headersOf } from "../functions/clerk-webhook/deliveries.ts";
import { connect } from "../functions/clients.ts";
import { createOrganization } from "../functions/organizations.ts";
import { type ServedFunction, withFunction } from "../functions/served_function.ts";
import { signatureOf } from "../functions/stripe-webhook/deliveries.ts";

const clients = connect(stackEnv());

const MEBIBYTE = 1024 * 1024;

/** The heap that a function gets. */
const HEAP = 48 * MEBIBYTE;

/** How often each body is sent, and how many of them at the same time. */
const ROUNDS = 16;
const AT_ONCE = 8;

/** A body that a command may just have, and how often it is sent: all of them exceed the heap. */
const LARGEST = 60 * 1024;
const LARGEST_ROUNDS = Math.ceil(1.2 * HEAP / LARGEST);

/** Where a body is sent, by whoever may send one: signed, or with an admin's token. */
interface Target {
  readonly name: string;
  readonly path: string;
  readonly method: string;
  headersFor(body: string): Promise<HeadersInit>;
}

async function targets(): Promise<Target[]> {
  const { id, token } = await createOrganization(clients);
  const authorized = () => Promise.resolve({ authorization: `Bearer ${token}` });
  const command = (name: string, path = "", method = "POST"): Target => ({
    name,
    path: name + path,
    method,
    headersFor: authorized,
  });
  const signed = (name: string, headersFor: Target["headersFor"]): Target => ({
    name,
    path: name,
    method: "POST",
    headersFor,
  });
  return [
    signed("stripe-webhook", async (body) => ({
      "stripe-signature": await signatureOf(clients, body),
    })),
    signed("clerk-webhook", (body) => Promise.resolve({ ...headersOf(clients, body) })),
    command("create-seat-checkout-session"),
    command("sync-seats"),
    command("manage-seats", `/${id}/preview`),
    command("manage-seats", `/${id}/change`),
    command("manage-seats", `/${id}/portal`),
    command("manage-members", "/join-requests"),
    command("manage-members", `/${id}/invitations`),
    command("manage-members", `/${id}/members/user_1`, "PATCH"),
  ];
}

const deep = (open: string, close: string) => open.repeat(30_000) + close.repeat(30_000);

/** A body, the codes that it may be refused with, and how often it is sent unless as all are. */
interface Sent {
  readonly body: string;
  readonly codes: readonly string[];
  readonly rounds?: number;
}

/**
 * What is sent, and with which codes it may be refused. Of a body that is no JSON Stripe's SDK says
 * that its signature is wrong.
 */
const BODIES: Readonly<Record<string, Sent>> = {
  "as large as may be": {
    body: `{"padding":"${"x".repeat(LARGEST)}"}`,
    codes: ["invalid_request", "invalid_event"],
    rounds: LARGEST_ROUNDS,
  },
  "far too large": { body: " ".repeat(4 * MEBIBYTE), codes: ["body_too_large"] },
  "nested deeply": {
    body: deep("[", "]"),
    codes: ["invalid_json", "invalid_request", "invalid_event", "invalid_signature"],
  },
  "an object nested deeply": {
    body: `${'{"a":'.repeat(10_000)}1${"}".repeat(10_000)}`,
    codes: ["invalid_json", "invalid_request", "invalid_event", "invalid_signature"],
  },
  "cut off": {
    body: '{"seats": 5, "plan": "pr',
    codes: ["invalid_json", "invalid_event", "invalid_signature"],
  },
  "a number": { body: "1e400", codes: ["invalid_request", "invalid_event", "invalid_signature"] },
  "null": { body: "null", codes: ["invalid_request", "invalid_event", "invalid_signature"] },
  "a list": { body: "[[]]", codes: ["invalid_request", "invalid_event", "invalid_signature"] },
  "a prototype": {
    body: '{"__proto__":{"seats":5,"role":"org:admin"},"constructor":{"prototype":{"seats":5}}}',
    codes: ["invalid_request", "invalid_event", "invalid_signature"],
  },
  "of wrong types": {
    body: '{"id":{},"type":[],"data":7,"created":"now","seats":"5","plan":5,"billingPeriod":{},' +
      '"organizationId":[],"sweep":"yes","invitations":{},"role":[],"joinCode":9,"returnUrl":{}}',
    codes: ["invalid_request", "invalid_event", "invalid_signature"],
  },
};

/** Sends a body, whole or in pieces without saying how long it is. */
async function send(
  { base }: ServedFunction,
  { path, method, headersFor }: Target,
  { body, codes }: Sent,
  inPieces: boolean,
): Promise<void> {
  const headers = new Headers(await headersFor(body));
  headers.set("idempotency-key", crypto.randomUUID());
  const raw = inPieces ? new Blob([body]).stream() : body;
  const answer = await callFunction(base, path, { method, headers, raw });
  const { code } = answer.body as { code: string };
  assertRefused(answer, code === "body_too_large" ? 413 : 400, code);
  assert(codes.includes(code), `${path}: ${code}`);
}

Deno.test("bodies that are no requests are refused, and leave nothing in memory", async () => {
  const all = await targets();
  // What was kept of the bodies would end the process.
  const limit = { DENO_V8_FLAGS: `--max-heap-size=${HEAP / MEBIBYTE}` };
  for (const name of new Set(all.map(({ name }) => name))) {
    await withFunction(clients, name, limit, async (served) => {
      const ours = all.filter((target) => target.name === name);
      for (const sent of Object.values(BODIES)) {
        for (let round = 0; round < (sent.rounds ?? ROUNDS); round += AT_ONCE) {
          await Promise.all(
            Array.from({ length: AT_ONCE }, (_, nth) => {
              const target = ours[(round + nth) % ours.length];
              assert(target !== undefined);
              return send(served, target, sent, nth % 2 === 0);
            }),
          );
        }
      }
    });
  }
});
