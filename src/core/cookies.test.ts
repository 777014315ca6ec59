import { expect, test } from "bun:test";
import { cookieValue } from "./cookies.ts";
import { HeaderList } from "./headers.ts";

test.each([
  [["a=1; b=2"], "b", "2"],
  [["a=1;b=2"], "b", "2"],
  [["a=1", "b=2"], "b", "2"],
  [["b=1; b=2"], "b", "1"],
  [["b="], "b", ""],
  [["b=x=y"], "b", "x=y"],
  [["bb=1; a=b=2"], "b", undefined],
  [["b"], "b", undefined],
  [[";;; b=1"], "b", "1"],
  [[], "b", undefined],
] as const)("of %j the cookie %s is %s", (fields, name, value) => {
  const headers = HeaderList.from(fields.map((field) => ["Cookie", field] as const));
  expect(cookieValue(headers, name)).toBe(value);
});
