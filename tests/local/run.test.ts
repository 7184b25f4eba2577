import assert from "node:assert/strict";
import { CHECKOUT } from "../../local/paths.ts";

/** Runs the script that stands behind every npm command, from a folder that isn't the checkout. */
async function runTask(...args: string[]): Promise<{ code: number; printed: string }> {
  const { code, stdout, stderr } = await new Deno.Command("node", {
    args: [`${CHECKOUT}/local/run.mjs`, ...args],
    cwd: "/",
  }).output();
  const text = new TextDecoder();
  return { code, printed: text.decode(stdout) + text.decode(stderr) };
}

Deno.test("run.mjs runs a task in the checkout, wherever it is called", async () => {
  const { code, printed } = await runTask("fmt", "--check", "deno.json");
  assert.equal(code, 0, printed);
});

Deno.test("run.mjs ends as the task did", async () => {
  const { code } = await runTask("fmt", "--no-such-flag");
  assert.notEqual(code, 0);
});

Deno.test("run.mjs names the tasks when it is asked for one that there isn't", async () => {
  const { code, printed } = await runTask("nonesuch");
  assert.equal(code, 1);
  assert.match(printed, /no task "nonesuch".*dev, test/);
});
