import assert from "node:assert/strict";
import { Hono } from "hono";
import { EmulatorControl } from "../../../local/emulation/control.ts";
import { Faults } from "../../../local/emulation/faults.ts";
import { listen } from "../../../local/emulation/listener.ts";

interface Emulator {
  url: string;
  control: EmulatorControl;
  /** How often the work was done. */
  done: () => number;
}

async function withEmulator(run: (emulator: Emulator) => Promise<void>): Promise<void> {
  let done = 0;
  const faults = new Faults();
  const app = new Hono();
  app.use("*", faults.middleware());
  app.route("/_emulator/faults", faults.routes());
  app.post("/work/:id", async (c) => c.json({ done: ++done, body: await c.req.text() }));
  const listener = await listen(app.fetch);
  try {
    await run({ url: listener.url, control: new EmulatorControl(listener.url), done: () => done });
  } finally {
    await listener.close();
  }
}

function post(url: string, body = "x"): Promise<Response> {
  return fetch(url, { method: "POST", body });
}

Deno.test("a fault that fails answers as told, once, without doing the work", () =>
  withEmulator(async ({ url, control, done }) => {
    await control.addFault({
      match: { method: "post", path: "^/work/" },
      kind: "fail",
      status: 429,
      headers: { "retry-after": "3" },
      body: { errors: [] },
    });

    const struck = await post(`${url}/work/1`);
    assert.equal(struck.status, 429);
    assert.equal(struck.headers.get("retry-after"), "3");
    assert.equal(struck.headers.get("content-type"), "application/json");
    assert.deepEqual(await struck.json(), { errors: [] });
    assert.equal(done(), 0);

    assert.equal((await (await post(`${url}/work/1`)).json()).done, 1);
    assert.equal((await control.faults())[0]?.hits, 1);
  }));

Deno.test("a fault strikes only what contains its text, in the URL or in the body", () =>
  withEmulator(async ({ url, control }) => {
    await control.addFault({ match: { contains: "org_7" }, kind: "fail", times: 0 });

    const statuses = [];
    for (const [path, body] of [["/work/org_8", ""], ["/work/org_7", ""], ["/work/1", "org_7"]]) {
      const response = await post(url + path, body);
      await response.body?.cancel();
      statuses.push(response.status);
    }
    assert.deepEqual(statuses, [200, 500, 500]);
  }));

Deno.test("a dropped request loses its connection and does no work", () =>
  withEmulator(async ({ url, control, done }) => {
    await control.addFault({ match: { path: "/work" }, kind: "drop" });
    await assert.rejects(post(`${url}/work/1`), TypeError);
    assert.equal(done(), 0);
  }));

Deno.test("a lost answer loses the connection after the work is done", () =>
  withEmulator(async ({ url, control, done }) => {
    await control.addFault({ match: { path: "/work" }, kind: "lose_answer" });
    await assert.rejects(post(`${url}/work/1`), TypeError);
    assert.equal(done(), 1);
    assert.equal((await control.faults())[0]?.hits, 1);
  }));

Deno.test("a delayed request is worked off as soon as the fault is removed", () =>
  withEmulator(async ({ url, control, done }) => {
    for (const remove of [(id: string) => control.removeFault(id), () => clear(url)]) {
      const before = done();
      const hour = 3_600_000;
      const id = await control.addFault({ match: { path: "slow" }, kind: "delay", delayMs: hour });
      const slow = post(`${url}/work/slow`);
      while ((await control.faults())[0]?.hits === 0);
      assert.equal(done(), before);
      await remove(id);
      assert.equal((await slow).status, 200);
      await (await slow).body?.cancel();
      assert.equal(done(), before + 1);
    }
  }));

/** Removes all faults. */
async function clear(url: string): Promise<void> {
  await fetch(`${url}/_emulator/faults`, { method: "DELETE" });
}

Deno.test("a delayed request is worked off after requests that came later", () =>
  withEmulator(async ({ url, control }) => {
    await control.addFault({ match: { path: "slow" }, kind: "delay", delayMs: 500 });
    const slow = post(`${url}/work/slow`);
    assert.equal((await (await post(`${url}/work/fast`)).json()).done, 1);
    assert.deepEqual(await (await slow).json(), { done: 2, body: "x" });
  }));

Deno.test("a removed fault strikes no more, and a bad one is refused", () =>
  withEmulator(async ({ url, control }) => {
    const id = await control.addFault({ match: {}, kind: "drop", times: 0 });
    await control.removeFault(id);
    assert.equal((await post(`${url}/work/1`)).status, 200);
    await assert.rejects(control.addFault({ match: { path: "(" }, kind: "drop" }), /400/);
  }));
