import { expect, test } from "bun:test";
import { table } from "./table.ts";

const columns = [
  { heading: "ID" },
  { heading: "PATH", least: 4 },
  { heading: "WHO", least: 3 },
  { heading: "N", align: "right" },
] as const;
const rows = [
  ["a1", "/a/rather/long/path", "10.0.0.7:5133", "7"],
  ["b22", "/b", "c", "1234"],
];

test("a table that fits is as wide as its cells", () => {
  expect(table(columns, rows, 80)).toEqual([
    "ID   PATH                 WHO               N",
    "a1   /a/rather/long/path  10.0.0.7:5133     7",
    "b22  /b                   c              1234",
  ]);
});

test("on a narrow terminal the widest columns give first, and the cut is seen", () => {
  const lines = table(columns, rows, 33);
  expect(lines).toEqual([
    "ID   PATH        WHO            N",
    "a1   /a/rather…  10.0.0.7:…     7",
    "b22  /b          c           1234",
  ]);
  for (const line of lines) expect([...line].length).toBeLessThanOrEqual(33);
});

test("a column that may not be cut stays whole on any terminal", () => {
  expect(table(columns, rows, 5)[2]).toBe("b22  /b    c    1234");
});

test("where even cut columns do not fit, columns are left out in their order, and headings keep their beginning", () => {
  const many = [
    { heading: "ID" },
    { heading: "HOST AND PATH", least: 6, cut: "start" },
    { heading: "WHO", least: 3, leaves: 1 },
    { heading: "N", leaves: 2 },
  ] as const;
  expect(table(many, rows, 22)).toEqual(["ID   HOST …  WHO  N", "a1   …/path  10…  7", "b22  /b      c    1234"]);
  expect(table(many, rows, 21)).toEqual(["ID   HOST AND …  N", "a1   …long/path  7", "b22  /b          1234"]);
  expect(table(many, rows, 11)).toEqual(["ID   HOST …", "a1   …/path", "b22  /b"]);
});

test("width 0 cuts nothing", () => {
  expect(table(columns, rows, 0)).toEqual(table(columns, rows, 1000));
});

test("a spare column is left out before another is cut, and an end that says more stays", () => {
  const wide = [
    { heading: "ID" },
    { heading: "PATH", least: 4, cut: "start" },
    { heading: "WHO", isSpare: true },
    { heading: "N" },
  ] as const;
  expect(table(wide, rows, 30)).toEqual([
    "ID   PATH                 N",
    "a1   /a/rather/long/path  7",
    "b22  /b                   1234",
  ]);
  expect(table(wide, rows, 19)).toEqual(["ID   PATH      N", "a1   …ng/path  7", "b22  /b        1234"]);
});
