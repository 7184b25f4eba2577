import assert from "node:assert/strict";
import { sign } from "hono/jwt";
import { listen } from "../../../local/emulation/listener.ts";
import { JWT_SECRET, serve } from "./sample_functions.ts";

/** Answers with everything that reached it. */
const ECHO = `
export default {
  fetch: async (request: Request) =>
    new Response(await request.arrayBuffer(), {
      status: 201,
      headers: {
        "x-method": request.method,
        "x-url": request.url,
        "x-headers": JSON.stringify([...request.headers]),
        "content-type": request.headers.get("content-type") ?? "application/octet-stream",
      },
    }),
};`;

const answering = (text: string) => `export default { fetch: () => new Response("${text}") };`;

Deno.test("a request reaches a function byte for byte, and so does its answer", async () => {
  await using functions = await serve({ echo: ECHO });
  const bytes = Uint8Array.from({ length: 4096 }, (_, index) => index % 256);
  const answer = await fetch(functions.url("echo/below?a=1&b=%20"), {
    method: "PUT",
    body: bytes,
    headers: { "content-type": "application/json", "stripe-signature": "t=1,v1=abc" },
  });
  assert.equal(answer.status, 201);
  assert.deepEqual(new Uint8Array(await answer.arrayBuffer()), bytes);
  assert.equal(answer.headers.get("x-method"), "PUT");
  const seen = new URL(answer.headers.get("x-url") ?? "");
  assert.equal(`${seen.pathname}${seen.search}`, "/echo/below?a=1&b=%20");
  const headers = new Map<string, string>(JSON.parse(answer.headers.get("x-headers") ?? "[]"));
  assert.equal(headers.get("stripe-signature"), "t=1,v1=abc");
  assert.equal(headers.get("content-length"), `${bytes.length}`);
  assert.equal(headers.get("x-forwarded-proto"), "http");
  assert.equal(headers.get("x-forwarded-path"), "/functions/v1/echo/below");
});

Deno.test("a compressed answer stays as it is", async () => {
  const packed = `
    const stream = new Blob(["some text"]).stream().pipeThrough(new CompressionStream("gzip"));
    const body = await new Response(stream).bytes();
    export default {
      fetch: () => new Response(body, { headers: { "content-encoding": "gzip" } }),
    };`;
  await using functions = await serve({ packed });
  const answer = await fetch(functions.url("packed"));
  assert.equal(await answer.text(), "some text");
});

Deno.test("a function has the memory of a hosted one", async () => {
  const heap = `
    import { getHeapStatistics } from "node:v8";
    export default { fetch: () => new Response(String(getHeapStatistics().heap_size_limit)) };`;
  await using functions = await serve({ heap });
  assert.equal(await (await fetch(functions.url("heap"))).text(), `${256 * 1024 * 1024}`);
});

Deno.test("a function sees the environment that it is given, and no files", async () => {
  const nosy = `
    const read = (path: string) => {
      try { return Deno.readTextFileSync(path); } catch (error) { return (error as Error).name; }
    };
    export default {
      fetch: () => Response.json({ env: Deno.env.toObject(), file: read("/etc/hostname") }),
    };`;
  await using functions = await serve({ nosy });
  const { env, file } = await (await fetch(functions.url("nosy"))).json();
  const ofDenoItself = [
    "DENO_DIR",
    "DENO_NODE_SHIM_ACTIVE",
    "DENO_NO_UPDATE_CHECK",
    "DENO_V8_FLAGS",
    "NO_COLOR",
  ];
  for (const name of [...ofDenoItself, "NPM_CONFIG_REGISTRY", "PATH", "PWD"]) delete env[name];
  assert.deepEqual(env, { GREETING: "hello", SUPABASE_URL: "http://gateway" });
  assert.equal(file, "NotCapable");
});

Deno.test("what isn't a function is not found", async () => {
  await using functions = await serve({ echo: ECHO, _shared: ECHO });
  for (const path of ["nonesuch", "_shared", "..%2Fecho", ""]) {
    const answer = await fetch(functions.url(path));
    assert.equal(answer.status, 404, path);
    await answer.body?.cancel();
  }
});

Deno.test("the Data API answers below /rest/v1", async () => {
  await using functions = await serve({});
  const answer = await fetch(new URL("/rest/v1/plans", functions.url("")));
  assert.equal(await answer.text(), "the Data API at /rest/v1/plans");
});

Deno.test("a function that can't start answers 503, and the log says why", async () => {
  await using functions = await serve({ broken: "export default {" });
  const answer = await fetch(functions.url("broken"));
  assert.equal(answer.status, 503);
  assert.equal((await answer.json()).code, "BOOT_ERROR");
  assert.match(functions.lines.join("\n"), /\[functions\/broken\] .*SyntaxError/);
});

Deno.test("a function that crashes answers 500, and serves the next request", async () => {
  const crashing = `
    export default {
      fetch: (request: Request) => request.method === "DELETE" ? Deno.exit(3) : new Response("well"),
    };`;
  await using functions = await serve({ crashing });
  assert.equal(await (await fetch(functions.url("crashing"))).text(), "well");
  const crash = await fetch(functions.url("crashing"), { method: "DELETE" });
  assert.equal(crash.status, 500);
  assert.equal((await crash.json()).code, "WORKER_ERROR");
  assert.equal(await (await fetch(functions.url("crashing"))).text(), "well");
});

Deno.test("a function that is killed at its work answers 500, and serves the next request", async () => {
  const arrived = Promise.withResolvers<void>();
  const never = Promise.withResolvers<Response>();
  const elsewhere = await listen(() => {
    arrived.resolve();
    return never.promise;
  });
  await using functions = await serve({
    working: `
      export default {
        fetch: (request: Request) =>
          request.method === "POST" ? fetch("${elsewhere.url}") : new Response("well"),
      };`,
  });
  const working = fetch(functions.url("working"), { method: "POST" });
  await arrived.promise;
  await functions.crash("working");
  const answer = await working;
  assert.equal(answer.status, 500);
  assert.equal((await answer.json()).code, "WORKER_ERROR");
  assert.equal(await (await fetch(functions.url("working"))).text(), "well");
  never.resolve(new Response());
  await elsewhere.close();
});

Deno.test("a function that doesn't answer in time is answered for with 504", async () => {
  const endless = `export default { fetch: () => new Promise(() => {}) };`;
  await using functions = await serve({ endless }, "", 300);
  const answer = await fetch(functions.url("endless"));
  assert.equal(answer.status, 504);
  await answer.body?.cancel();
});

Deno.test("a saved file takes effect, and running requests end as they began", async () => {
  const arrived = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const elsewhere = await listen(async () => {
    arrived.resolve();
    await gate.promise;
    return new Response("old");
  });
  await using functions = await serve({
    passing: `export default { fetch: () => fetch("${elsewhere.url}") };`,
  });
  const late = fetch(functions.url("passing"));
  await arrived.promise;
  const changed = functions.untilLogged("Source changed");
  await functions.write("passing", answering("new"));
  await changed;
  assert.equal(await (await fetch(functions.url("passing"))).text(), "new");
  gate.resolve();
  assert.equal(await (await late).text(), "old");
  await elsewhere.close();
});

Deno.test("a new function is served without a restart", async () => {
  await using functions = await serve({ echo: ECHO }, "[functions.late]\nverify_jwt = false\n");
  await functions.write("late", answering("here"));
  assert.equal(await (await fetch(functions.url("late"))).text(), "here");
});

Deno.test("with verify_jwt, the default, only a token of this project gets through", async () => {
  await using functions = await serve({ guarded: answering("in") }, "[functions.other]\n");
  const call = async (token?: string) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const answer = await fetch(functions.url("guarded"), { headers });
    await answer.body?.cancel();
    return answer.status;
  };
  assert.equal(await call(), 401);
  assert.equal(await call("nonsense"), 401);
  assert.equal(await call(await sign({ role: "anon" }, "another secret")), 401);
  assert.equal(await call(await sign({ role: "anon" }, JWT_SECRET)), 200);
  const preflight = await fetch(functions.url("guarded"), { method: "OPTIONS" });
  assert.equal(preflight.status, 200);
  await preflight.body?.cancel();
});

Deno.test("many requests at once are each answered with their own body", async () => {
  await using functions = await serve({ echo: ECHO });
  const answers = await Promise.all(
    Array.from({ length: 64 }, async (_, index) => {
      const answer = await fetch(functions.url("echo"), { method: "POST", body: `${index}` });
      return await answer.text();
    }),
  );
  assert.deepEqual(answers, Array.from({ length: 64 }, (_, index) => `${index}`));
});
