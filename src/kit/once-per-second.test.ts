import { expect, test } from "bun:test";
import { OncePerSecond } from "./once-per-second.ts";

test("a key passes once in a second, whatever others do", () => {
  const limit = new OncePerSecond();
  expect([0, 1, 999].map((now) => limit.passes("a", now))).toEqual([true, false, false]);
  expect(limit.passes("b", 999)).toBe(true);
  expect(limit.passes("a", 1000)).toBe(true);
});

test("of very many keys a thousand pass in a second", () => {
  const limit = new OncePerSecond();
  const passed = Array.from({ length: 5000 }, (_, at) => limit.passes(String(at), 5000));
  expect(passed.filter(Boolean)).toHaveLength(1000);
  expect(limit.passes("x", 6000)).toBe(true);
});
