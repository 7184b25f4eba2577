import assert from "node:assert/strict";
import { describeError, log } from "../../supabase/functions/_shared/log.ts";
import { printedBy } from "./printed.ts";

Deno.test("log() writes one line of JSON with the level, the message and the fields", async () => {
  const [printed, ...more] = await printedBy(() =>
    log("info", "event ignored", { function: "stripe-webhook", seats: 5, cause: null })
  );
  assert.deepEqual(more, []);
  assert(printed !== undefined && !printed.line.includes("\n"));
  assert.deepEqual(JSON.parse(printed.line), {
    level: "info",
    message: "event ignored",
    function: "stripe-webhook",
    seats: 5,
    cause: null,
  });
});

Deno.test("log() keeps a field with line breaks on one line, and leaves out what is undefined", async () => {
  const [printed] = await printedBy(() =>
    log("error", "failed", { cause: "a\nb", code: undefined })
  );
  assert.equal(printed?.line, '{"level":"error","message":"failed","cause":"a\\nb"}');
});

Deno.test("log() writes what wants a look to where the platform shows errors", async () => {
  const printed = await printedBy(() => {
    for (const level of ["info", "warn", "error", "alert"] as const) log(level, level, {});
  });
  assert.deepEqual(printed.map(({ to }) => to), ["log", "warn", "error", "error"]);
});

Deno.test("describeError() names the error and everything underneath", () => {
  const error = new Error("No answer", { cause: new TypeError("connection refused") });
  assert.equal(describeError(error), "Error: No answer (TypeError: connection refused)");
});

Deno.test("describeError() takes what is no error as it is", () => {
  assert.equal(describeError("no"), "no");
  assert.equal(describeError(null), "null");
});
