import assert from "node:assert/strict";
import { listen } from "../../../local/emulation/listener.ts";

Deno.test("a listener takes another port when the one it prefers is taken", async () => {
  const first = await listen(() => new Response("first"));
  const second = await listen(() => new Response("second"), first.port);
  try {
    assert.notEqual(second.port, first.port);
    assert.equal(await (await fetch(second.url)).text(), "second");
  } finally {
    await first.close();
    await second.close();
  }
});

Deno.test("a listener hands on bytes, query and repeated headers, and says how long its answer is", async () => {
  const listener = await listen(async (request) => {
    const { pathname, search } = new URL(request.url);
    const bytes = [...new Uint8Array(await request.arrayBuffer())];
    return Response.json({ method: request.method, pathname, search, bytes });
  });
  try {
    const answer = await fetch(`${listener.url}/a%20b?x=1&x=2`, {
      method: "PUT",
      body: new Uint8Array([0, 255, 10]),
    });
    assert.equal(answer.headers.get("content-type"), "application/json");
    const text = await answer.text();
    assert.equal(answer.headers.get("content-length"), `${text.length}`);
    assert.deepEqual(JSON.parse(text), {
      method: "PUT",
      pathname: "/a%20b",
      search: "?x=1&x=2",
      bytes: [0, 255, 10],
    });
  } finally {
    await listener.close();
  }
});

Deno.test("a handler that throws costs one connection, not the server", async () => {
  const report = console.error;
  console.error = () => {};
  const listener = await listen((request) => {
    if (request.url.endsWith("/broken")) throw new Error("broken");
    return new Response("fine");
  });
  try {
    await assert.rejects(fetch(`${listener.url}/broken`), TypeError);
    assert.equal(await (await fetch(listener.url)).text(), "fine");
  } finally {
    console.error = report;
    await listener.close();
  }
});
