import assert from "node:assert/strict";
import { startSweepClock } from "../../local/sweep_clock.ts";

/** Runs with a clock that calls this server; `lines` is what it logs. */
async function withClock(
  serve: (request: Request) => Response | Promise<Response>,
  run: (stop: () => Promise<void>, lines: readonly string[]) => Promise<void>,
): Promise<void> {
  const lines: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, serve);
  const clock = startSweepClock({
    url: `http://127.0.0.1:${server.addr.port}`,
    secretKey: "sb_secret_something",
    everyMs: 1,
    log: (line) => lines.push(line),
  });
  try {
    await run(() => clock.stop(), lines);
  } finally {
    await clock.stop();
    await server.shutdown();
  }
}

Deno.test("the clock calls the sweep with the secret key, and says nothing", async () => {
  const called = Promise.withResolvers<unknown>();
  await withClock(async (request) => {
    const { pathname } = new URL(request.url);
    called.resolve([
      request.method,
      pathname,
      request.headers.get("apikey"),
      await request.json(),
    ]);
    return new Response();
  }, async (stop, lines) => {
    assert.deepEqual(
      await called.promise,
      ["POST", "/functions/v1/sync-seats", "sb_secret_something", { sweep: true }],
    );
    await stop();
    assert.deepEqual(lines, []);
  });
});

Deno.test("the clock goes on after a sweep that failed, and says so", async () => {
  const calledAgain = Promise.withResolvers<void>();
  let calls = 0;
  await withClock(() => {
    if (++calls === 1) return new Response("down", { status: 503 });
    calledAgain.resolve();
    return new Response();
  }, async (stop, lines) => {
    await calledAgain.promise;
    await stop();
    assert.deepEqual(lines, ["[sweep] answered 503: down"]);
  });
});

Deno.test("the clock is stopped also while a sweep is under way", async () => {
  const called = Promise.withResolvers<void>();
  const stopped = Promise.withResolvers<Response>();
  await withClock(() => {
    called.resolve();
    return stopped.promise;
  }, async (stop, lines) => {
    await called.promise;
    await stop();
    stopped.resolve(new Response());
    assert.deepEqual(lines, []);
  });
});
