/*
 * Runs one of the tasks below. Needs Node 20 and npm, nothing else: it installs what is missing,
 * inside this checkout only, and hands the task to Deno.
 *
 *   node local/run.mjs <task> [arguments for the task's last step]
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Each task is a list of Deno command lines, run one after the other until one fails. */
const TASKS = {
  dev: [["run", "-A", "local/dev.ts"]],
  test: [["fmt", "--check"], ["lint"], ["check", "--quiet"], ["run", "-A", "tests/run.ts"]],
  check: [["fmt", "--check"], ["lint"], ["check", "--quiet"]],
  fmt: [["fmt"]],
  demo: [["run", "-A", "local/demo.ts"]],
  bench: [["run", "-A", "bench/run.ts"]],
  simulate: [["run", "-A", "tests/simulation/simulate.ts"]],
  "db:schema": [["run", "-A", "local/database/schema.ts"]],
  "db:types": [["run", "-A", "local/database/types.ts"]],
  catalog: [["run", "-A", "local/publish_catalogue.ts"]],
};

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"];
const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const denoDir = join(root, ".cache", "deno");

const [task = "", ...rest] = process.argv.slice(2);
const steps = TASKS[task];
if (steps === undefined) {
  fail(`There is no task "${task}". The tasks are: ${Object.keys(TASKS).join(", ")}`);
}
if (Number.parseInt(process.versions.node) < 20) {
  fail(`Node 20 or newer is needed, this is ${process.version}`);
}
installTools();
const deno = findDeno();
const registry = installLibraries();
for (const [index, step] of steps.entries()) {
  await run(deno, index === steps.length - 1 ? [...step, ...rest] : step);
}

/** Has npm install Deno, Postgres and the Supabase CLI, unless that is done. */
function installTools() {
  const stamp = join(root, "node_modules", ".stamp");
  const wanted = digest(["package-lock.json"], process.platform, process.arch);
  if (isStamped(stamp, wanted)) return;
  console.log("Installing Deno, Postgres and the Supabase CLI ...");
  // The packages' install scripts are not needed: what they would do is done where it is used.
  npm(["ci", "--ignore-scripts", "--no-audit", "--no-fund"], "inherit");
  writeFileSync(stamp, wanted);
}

/**
 * Has Deno fetch the libraries that the code imports, unless that is done. Answers the registry that
 * they came from: Deno's cache goes by its name.
 */
function installLibraries() {
  const stamp = join(denoDir, ".stamp");
  const files = ["package-lock.json", "deno.json", "supabase/functions/deno.json", "deno.lock"];
  const [done, registry] = existsSync(stamp) ? readFileSync(stamp, "utf8").split(" ") : [];
  if (done === digest(files)) return registry;
  console.log("Installing the libraries ...");
  mkdirSync(denoDir, { recursive: true });
  const settings = registrySettings();
  const { imports } = JSON.parse(readFileSync(join(root, "deno.json"), "utf8"));
  const frozen = process.env.CI ? ["--frozen"] : [];
  const { status } = spawnSync(deno, ["cache", "--quiet", ...frozen, ...Object.values(imports)], {
    cwd: root,
    env: { ...environment(settings.NPM_CONFIG_REGISTRY), ...settings },
    stdio: "inherit",
  });
  if (status !== 0) fail("The libraries could not be installed");
  writeFileSync(stamp, `${digest(files)} ${settings.NPM_CONFIG_REGISTRY}`);
  return settings.NPM_CONFIG_REGISTRY;
}

/** npm's own settings, in the words in which Deno understands them. */
function registrySettings() {
  const setting = (name) => {
    const value = npm(["config", "get", name], "pipe").stdout.trim();
    return value === "" || value === "null" || value === "undefined" ? undefined : value;
  };
  const settings = { NPM_CONFIG_REGISTRY: setting("registry"), DENO_CERT: setting("cafile") };
  const proxy = setting("https-proxy") ?? setting("proxy");
  if (!process.env.HTTPS_PROXY && !process.env.https_proxy) settings.HTTPS_PROXY = proxy;
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}

/** Deno keeps everything it writes inside the checkout. */
function environment(registry) {
  return {
    ...process.env,
    DENO_DIR: denoDir,
    DENO_NO_UPDATE_CHECK: "1",
    NPM_CONFIG_REGISTRY: registry,
  };
}

function findDeno() {
  const libc = process.platform === "linux" ? "-glibc" : "";
  const name = `${process.platform}-${process.arch}${libc}`;
  const path = join(root, "node_modules", "@deno", name, "deno");
  if (!existsSync(path)) fail(`npm has no Deno for this platform (${name})`);
  chmodSync(path, 0o755);
  return path;
}

/** Runs npm, the very one that runs this script if one does. */
function npm(args, stdio) {
  const own = process.env.npm_execpath;
  const [command, first] = own?.endsWith("npm-cli.js") ? [process.execPath, [own]] : ["npm", []];
  const result = spawnSync(command, [...first, ...args], {
    cwd: root,
    stdio: stdio === "pipe" ? ["ignore", "pipe", "ignore"] : stdio,
    encoding: "utf8",
  });
  if (result.status !== 0) fail(`"npm ${args.join(" ")}" failed`);
  return result;
}

/** Runs one step. When it fails, this process ends as the step did. */
function run(command, args) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, env: environment(registry), stdio: "inherit" });
    const pass = (signal) => child.kill(signal);
    for (const signal of SIGNALS) process.on(signal, pass);
    const watch = whenNpmEnds(() => pass("SIGTERM"));
    child.on("error", (error) => fail(`Deno could not be started: ${error.message}`));
    child.on("exit", (code, signal) => {
      clearInterval(watch);
      for (const signal of SIGNALS) process.off(signal, pass);
      if (signal !== null) process.kill(process.pid, signal);
      else if (code === 0) resolve();
      else process.exit(code);
    });
  });
}

/** npm passes no signal on when it is told to end by one that only it gets. */
function whenNpmEnds(then) {
  const parent = process.ppid;
  if (!process.env.npm_lifecycle_event) return undefined;
  return setInterval(() => process.ppid !== parent && then(), 500);
}

function digest(files, ...more) {
  const hash = createHash("sha256");
  for (const file of files) {
    const path = join(root, file);
    hash.update(existsSync(path) ? readFileSync(path) : "");
  }
  return hash.update(more.join()).digest("hex");
}

function isStamped(stamp, wanted) {
  return existsSync(stamp) && readFileSync(stamp, "utf8") === wanted;
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
