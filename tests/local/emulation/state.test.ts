import assert from "node:assert/strict";
import { StateFile } from "../../../local/emulation/state.ts";

async function inFolder(run: (path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(`${folder}/state.json`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a state file gives back what was saved before it was closed", () =>
  inFolder(async (path) => {
    const first = await StateFile.open(path, { names: [] as string[] });
    first.data.names.push("Ada");
    first.changed();
    await first.close();

    const second = await StateFile.open(path, { names: [] as string[], added: 7 });
    assert.deepEqual(second.data, { names: ["Ada"], added: 7 });
    await second.close();
  }));

Deno.test("a state file keeps the last of several changes and leaves no second file", () =>
  inFolder(async (path) => {
    const state = await StateFile.open(path, { count: 0 });
    for (let count = 1; count <= 5; count += 1) {
      state.data.count = count;
      state.changed();
      if (count % 2 === 0) await state.flush();
    }
    await state.close();

    assert.deepEqual(JSON.parse(await Deno.readTextFile(path)), { count: 5 });
    const files = await Array.fromAsync(Deno.readDir(path.replace("/state.json", "")));
    assert.deepEqual(files.map(({ name }) => name), ["state.json"]);
  }));

Deno.test("a state file that is not JSON is refused by name", () =>
  inFolder(async (path) => {
    await Deno.writeTextFile(path, "{");
    await assert.rejects(StateFile.open(path, {}), /state\.json is not JSON/);
  }));

Deno.test("a state without a path stays in memory", async () => {
  const state = await StateFile.open(null, { count: 1 });
  state.changed();
  await state.close();
  assert.equal(state.data.count, 1);
});
