import assert from "node:assert/strict";
import { CHECKOUT } from "../../../local/paths.ts";

Deno.test("the demo plays both of its acts, and every number in it is right", async () => {
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "local/demo.ts"],
    cwd: CHECKOUT,
    env: { NO_COLOR: "1" },
  }).output();
  const told = new TextDecoder().decode(stdout);
  assert.equal(code, 0, told);
  assert.match(told, /One sweep/);
  assert.doesNotMatch(told, /✗/);
});
