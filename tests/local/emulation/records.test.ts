import assert from "node:assert/strict";
import fc from "fast-check";
import { Records } from "../../../local/emulation/records.ts";
import { StateFile } from "../../../local/emulation/state.ts";

interface Item {
  readonly id: string;
  readonly groups: readonly string[];
  readonly version: number;
}

const newRecords = () => new Records<Item>(({ groups }) => groups);

const names = (prefix: string, count: number) =>
  fc.constantFrom(...Array.from({ length: count }, (_, n) => `${prefix}${n}`));
const put = fc.record({
  id: names("id", 8),
  groups: fc.uniqueArray(names("group", 3)),
});
const deletion = fc.record({ id: names("id", 8), groups: fc.constant(null) });
const changes = fc.array(fc.oneof(put, deletion), { maxLength: 40 });

Deno.test("records are found by id and by group, in their order, whatever was put and deleted", () => {
  fc.assert(fc.property(changes, (steps) => {
    const records = newRecords();
    const plain: Record<string, Item> = {};
    steps.forEach(({ id, groups }, version) => {
      if (groups === null) {
        delete plain[id];
        records.delete(id);
      } else {
        plain[id] = { id, groups, version };
        records.put(plain[id]);
      }
      const all = Object.values(plain);
      assert.deepEqual([...records.values()], all);
      assert.deepEqual(records.newestFirst(), all.toReversed());
      assert.equal(records.get(id), plain[id]);
      for (const name of ["group0", "group1", "group2", "none"]) {
        const members = all.filter((item) => item.groups.includes(name));
        assert.deepEqual(new Set(records.of(name)), new Set(members));
      }
    });
  }));
});

Deno.test("a group is in the order in which its records were made, also after one was changed", () => {
  const records = newRecords();
  for (const id of ["a", "b", "c"]) records.put({ id, groups: ["one"], version: 1 });
  records.put({ id: "a", groups: ["one"], version: 2 });
  assert.deepEqual(records.of("one").map(({ id, version }) => `${id}${version}`), [
    "a2",
    "b1",
    "c1",
  ]);
});

Deno.test("a state file gives records back, with their groups and in their order", async () => {
  const folder = await Deno.makeTempDir();
  const open = () =>
    StateFile.open(`${folder}/state.json`, { items: newRecords(), added: newRecords() });
  try {
    const first = await StateFile.open(`${folder}/state.json`, { items: newRecords() });
    first.data.items.put({ id: "b", groups: ["one"], version: 1 });
    first.data.items.put({ id: "a", groups: ["two"], version: 1 });
    first.changed();
    await first.close();

    const { data } = await open();
    data.items.put({ id: "c", groups: ["two"], version: 2 });
    assert.deepEqual([...data.items.values()].map(({ id }) => id), ["b", "a", "c"]);
    assert.deepEqual(data.items.of("two").map(({ id }) => id), ["a", "c"]);
    assert.deepEqual(data.added.newestFirst(), []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
