import { describe, expect, test } from "bun:test";
import { HeaderList } from "./headers.ts";

const fields = [
  ["Host", "a"],
  ["X-One", "1"],
  ["X_One", "2"],
] as const;

describe("a clone of a list", () => {
  test("changes nothing in the list it was made of, whatever is done to it", () => {
    for (const change of [
      (list: HeaderList) => list.add("X-Two", "2"),
      (list: HeaderList) => list.removeAt(0),
      (list: HeaderList) => list.set("X-One", "3"),
      (list: HeaderList) => list.extend(0, "b"),
      (list: HeaderList) => list.deleteAll(new Set(["host"])),
    ]) {
      const list = HeaderList.from(fields);
      const clone = list.clone();
      change(clone);
      expect([...list]).toEqual(fields.map((field) => [...field]));
      expect([...clone]).not.toEqual([...list]);
    }
  });

  test("keeps what it has when the list it was made of changes, and its own clones", () => {
    const list = HeaderList.from(fields);
    const clone = list.clone();
    const second = clone.clone();
    list.delete("x-one");
    clone.add("X-Two", "2");
    expect([...list]).toEqual([["Host", "a"]]);
    expect(clone.length).toBe(4);
    expect([...second]).toEqual(fields.map((field) => [...field]));
  });
});

test("fields behind one that is removed keep their order", () => {
  const list = HeaderList.from([
    ["A", "1"],
    ["B", "2"],
    ["C", "3"],
  ]);
  list.removeAt(1);
  expect([...list]).toEqual([
    ["A", "1"],
    ["C", "3"],
  ]);
  expect(list.keys).toEqual(["a", "c"]);
});
