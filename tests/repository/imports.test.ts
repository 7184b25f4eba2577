import assert from "node:assert/strict";
import { dirname, join } from "node:path/posix";
import { type TrackedFile, trackedFiles } from "./tracked_files.ts";

const FUNCTIONS = "supabase/functions";

/** One import of one module: from which file, of which, by path from the checkout's folder. */
interface Import {
  from: string;
  of: string;
}

function importsOf({ path, text }: TrackedFile): Import[] {
  const specifiers = [...text.matchAll(/(?:from|import|import\()\s*"([^"]+)"/g)].map(([, of]) =>
    of ?? ""
  );
  return specifiers.map((of) => ({
    from: path,
    of: of.startsWith(".") ? join(dirname(path), of) : of,
  }));
}

const sources = (await trackedFiles()).filter(({ path }) => path.endsWith(".ts"));
const deployed = sources.filter(({ path }) => path.startsWith("supabase/"));
const imports = deployed.flatMap(importsOf);

Deno.test("what is deployed imports nothing of the local stack or the tests", () => {
  assert.ok(imports.length > 0);
  const outside = imports.filter(({ of }) =>
    /^(local|tests|bench)\//.test(of) || of.startsWith("..")
  );
  assert.deepEqual(outside, []);
});

Deno.test("functions import themselves, _shared and libraries, not one another", () => {
  const across = imports.filter(({ from, of }) => {
    const [own, other] = [from, of].map((path) =>
      path.startsWith(`${FUNCTIONS}/`) ? path.slice(FUNCTIONS.length + 1).split("/")[0] : null
    );
    return other !== null && other !== own && other !== "_shared";
  });
  assert.deepEqual(across, []);
});

Deno.test("libraries are imported by the names of deno.json, not by version", () => {
  const all = sources.flatMap(importsOf);
  assert.deepEqual(all.filter(({ of }) => /^(npm|jsr|https?):/.test(of)), []);
});

Deno.test("capacity.ts imports nothing, so that a browser can import it", () => {
  const file = `${FUNCTIONS}/_shared/capacity.ts`;
  assert.ok(sources.some(({ path }) => path === file));
  assert.deepEqual(imports.filter(({ from }) => from === file), []);
});
