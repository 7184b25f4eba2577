import assert from "node:assert/strict";
import * as fc from "fast-check";
import * as z from "zod";
import {
  COMMAND_BODY_LIMIT,
  factOf,
  parseJson,
  readCommand,
  readText,
} from "../../supabase/functions/_shared/body.ts";
import { ApiError } from "../../supabase/functions/_shared/errors.ts";

/** A request whose body comes whole, with its Content-Length, as most do. */
function announced(body: Uint8Array<ArrayBuffer>, length = String(body.byteLength)): Request {
  const headers = { "content-length": length };
  return new Request("http://localhost/", { method: "POST", headers, body });
}

/** A request whose body comes in these pieces, without a Content-Length. */
function requestOf(...chunks: Uint8Array[]): Request {
  const body = ReadableStream.from(chunks);
  return new Request("http://localhost/", { method: "POST", body });
}

const bytesOf = (text: string) => new TextEncoder().encode(text);

async function refusalOf(refused: Promise<unknown>) {
  const error = await refused.then(() => assert.fail("It was not refused"), (error) => error);
  assert(error instanceof ApiError, String(error));
  return { status: error.status, code: error.code, details: error.details };
}

Deno.test("readText() gives the text back whatever pieces it comes in", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.string({ unit: "binary" }),
      fc.array(fc.nat({ max: 20 }), { maxLength: 5 }),
      async (text, cuts) => {
        const whole = text.toWellFormed();
        const bytes = bytesOf(whole);
        const ends = [...cuts.toSorted((a, b) => a - b), bytes.length];
        const chunks = ends.map((end, n) => bytes.slice(ends[n - 1] ?? 0, end));
        assert.equal(await readText(requestOf(...chunks), 1000), whole);
        assert.equal(await readText(announced(bytes), 1000), whole);
      },
    ),
  );
});

Deno.test("readText() keeps a byte order mark, which is signed like any other character", async () => {
  assert.equal(await readText(requestOf(bytesOf("\ufeff{}")), 10), "\ufeff{}");
  assert.equal(await readText(announced(bytesOf("\ufeff{}")), 10), "\ufeff{}");
});

Deno.test("readText() reads a request without a body as empty", async () => {
  assert.equal(await readText(new Request("http://localhost/", { method: "POST" }), 10), "");
});

Deno.test("readText() counts bytes, and takes as many as the limit", async () => {
  for (const request of [requestOf, announced]) {
    assert.equal(await readText(request(bytesOf("éé")), 4), "éé");
    assert.deepEqual(await refusalOf(readText(request(bytesOf("ééx")), 4)), {
      status: 413,
      code: "body_too_large",
      details: {},
    });
  }
});

Deno.test("readText() stops at the limit, however much would follow", async () => {
  let pulled = 0;
  const body = new ReadableStream({
    pull(controller) {
      pulled += 1;
      controller.enqueue(new Uint8Array(1000));
    },
  });
  const endless = new Request("http://localhost/", { method: "POST", body });
  assert.equal((await refusalOf(readText(endless, 5000))).code, "body_too_large");
  assert(pulled < 10);
});

Deno.test("readText() believes a Content-Length that is too large, and none that is too small", async () => {
  for (const length of ["5", "1", "none", "5, 5"]) {
    const refused = readText(announced(bytesOf("12345"), length), 4);
    assert.equal((await refusalOf(refused)).code, "body_too_large", length);
  }
});

Deno.test("parseJson() parses JSON and refuses anything else", () => {
  assert.deepEqual(parseJson('{"a":[1,null]}'), { a: [1, null] });
  for (const text of ["", "{", "undefined", "{'a':1}", "\ufeff{}", '{"a":"\\u00"}']) {
    assert.throws(() => parseJson(text), { code: "invalid_json", status: 400 }, text);
  }
});

Deno.test("factOf() replaces what Postgres has no room for, and nothing else", () => {
  const read = (text: string) => factOf(parseJson(text), text);
  assert.deepEqual(read('{"a":["\\u0000","\\ud83d"],"\\udead":1}'), {
    a: ["\ufffd", "\ufffd"],
    "\ufffd": 1,
  });
  for (
    const text of ['{"a":["\\ud83d\\ude00","😀","\\\\u0000"],"b":1e3}', "[]", "null", '"a"', "7"]
  ) {
    assert.deepEqual(read(text), JSON.parse(text), text);
  }
});

const schema = z.strictObject({ name: z.string(), inner: z.object({ seats: z.int() }) });

Deno.test("readCommand() gives what the schema makes of the body", async () => {
  const withDefault = z.object({ limit: z.int().default(200) });
  assert.deepEqual(await readCommand(requestOf(bytesOf("{}")), withDefault), { limit: 200 });
});

Deno.test("readCommand() names the fields that are wrong", async () => {
  const refusal = await refusalOf(
    readCommand(requestOf(bytesOf('{"name":7,"inner":{"seats":1.5}}')), schema),
  );
  assert.equal(refusal.status, 400);
  assert.equal(refusal.code, "invalid_request");
  const { issues } = refusal.details as { issues: { path: string; message: string }[] };
  assert.deepEqual(issues.map(({ path }) => path), ["name", "inner.seats"]);
  assert(issues.every(({ message }) => message.length > 0));
});

Deno.test("readCommand() refuses a body over the limit of commands", async () => {
  const body = bytesOf(" ".repeat(COMMAND_BODY_LIMIT + 1));
  assert.equal((await refusalOf(readCommand(requestOf(body), schema))).code, "body_too_large");
});
