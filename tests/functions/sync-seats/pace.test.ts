import assert from "node:assert/strict";
import { Pace } from "../../../supabase/functions/sync-seats/pace.ts";

Deno.test("calls are spaced at half of what the provider allows, however many wait", async () => {
  const pace = new Pace(100);
  const begun: number[] = [];
  const start = performance.now();
  await Promise.all(Array.from({ length: 11 }, () =>
    pace.call(() => {
      begun.push(performance.now());
      return Promise.resolve();
    })));
  // No earlier than its turn: a slow machine can only be later, also with the first. A timer may
  // round a millisecond off.
  begun.forEach((at, n) => assert(at - start >= n * 20 - 2, `call ${n} came ${at - start} ms in`));
});
