import assert from "node:assert/strict";
import { readCounts } from "./counts.ts";

Deno.test("readCounts() adds up the suites of a report", () => {
  const report = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="deno test" tests="6" failures="1" errors="1" time="0.005">
    <testsuite name="./a.test.ts" tests="4" disabled="1" errors="0" failures="1">
        <testcase name="a suite &lt;testsuite tests=9" classname="./a.test.ts"></testcase>
    </testsuite>
    <testsuite name="./b.test.ts" tests="2" disabled="0" errors="1" failures="0"></testsuite>
</testsuites>`;
  assert.deepEqual(readCounts(report), { passed: 3, failed: 2, skipped: 1 });
});

Deno.test("readCounts() finds nothing in an empty report", () => {
  assert.deepEqual(readCounts(""), { passed: 0, failed: 0, skipped: 0 });
});
