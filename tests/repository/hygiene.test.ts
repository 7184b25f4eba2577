import assert from "node:assert/strict";
import { CHECKOUT } from "../../local/paths.ts";
import { trackedFiles } from "./tracked_files.ts";

const files = await trackedFiles();

/** Where a pattern stands, as "path: what was found". */
function occurrences(pattern: RegExp): string[] {
  return files.flatMap(({ path, text }) =>
    [...text.matchAll(pattern)].map(([found]) => `${path}: ${found}`)
  );
}

Deno.test("no file names a package registry", () => {
  assert.deepEqual(occurrences(/registry\.[a-z]+(?:js|pkg)?\.(?:org|com|dev)/g), []);
});

Deno.test("no file names a folder of somebody's machine", () => {
  assert.deepEqual(occurrences(/(?<![\w.~$}])\/(?:home|root|Users)\/[\w.-]+/g), []);
  const naming = files.filter(({ text }) => text.includes(`${CHECKOUT}/`));
  assert.deepEqual(naming.map(({ path }) => path), []);
});

Deno.test("no file holds what looks like a real secret", () => {
  assert.deepEqual(occurrences(/\b(?:sk|rk|pk)_live_\w{8,}|\bsbp_[0-9a-f]{20,}|ghp_\w{20,}/g), []);
});

Deno.test("the lock files hold no download address", () => {
  const locks = files.filter(({ path }) => path === "package-lock.json" || path === "deno.lock");
  assert.equal(locks.length, 2);
  for (const { path, text } of locks) {
    assert.deepEqual(text.match(/"resolved"|"tarball"|https?:[^"]*\.tgz/g), null, path);
  }
});

Deno.test("no migration carries the date of another", () => {
  const versions = files.map(({ path }) =>
    path.match(/^supabase\/migrations\/(\d{14})_\w+\.sql$/)?.[1]
  )
    .filter((version) => version !== undefined);
  assert.ok(versions.length > 0);
  assert.equal(new Set(versions).size, versions.length);
});
