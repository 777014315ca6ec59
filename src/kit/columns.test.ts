import { expect, test } from "bun:test";
import { type Columns, fromColumns, toColumns } from "./columns.ts";

const cases: readonly (readonly [string, readonly object[]])[] = [
  ["no rows", []],
  ["one row", [{ name: "a", count: 0, is: false, text: "" }]],
  ["members that are not in every row", [{ a: 1 }, { b: 2 }, {}, { a: 3, b: 4 }]],
  ["objects in objects, some of them missing", [{ at: { x: { y: 1 }, z: 2 } }, { at: { z: 2 } }, { other: 1 }]],
  ["lists", [{ list: [1, [2], { three: 3 }] }, { list: [] }]],
  ["values of several types", [{ a: 1 }, { a: "1" }, { a: true }]],
];

for (const [name, rows] of cases) {
  test(`${name}: rows come back as they were, across JSON`, () => {
    const columns = JSON.parse(JSON.stringify(toColumns(rows))) as Columns;
    expect(fromColumns<object>(columns)).toEqual([...rows]);
  });
}

test("rows share the objects that are the same in all of them, but are none themselves", () => {
  const [one, other] = fromColumns<{ a: object; b: object }>(
    toColumns([
      { a: { x: 1 }, b: { y: 1, z: 3 } },
      { a: { x: 1 }, b: { y: 2, z: 3 } },
    ]),
  );
  expect(one?.a).toBe(other?.a as object);
  expect([one?.b, other?.b]).toEqual([
    { y: 1, z: 3 },
    { y: 2, z: 3 },
  ]);
  const same = fromColumns<object>(toColumns([{ a: 1 }, { a: 1 }]));
  expect(same[0]).not.toBe(same[1] as object);
});

test("what is the same in all rows is written once, and what is undefined not at all", () => {
  const rows = Array.from({ length: 100 }, (_, at) => ({ at, route: "chat", gone: undefined, is: { open: true } }));
  const { columns } = toColumns(rows);
  expect(columns).toEqual([
    { path: ["at"], each: rows.map(({ at }) => at) },
    { path: ["route"], all: "chat" },
    { path: ["is", "open"], all: true },
  ]);
});
