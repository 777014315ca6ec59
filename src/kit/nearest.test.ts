import { expect, test } from "bun:test";
import { editDistance, nearest } from "./nearest.ts";

test.each([
  ["", "", 0],
  ["host", "host", 0],
  ["hots", "host", 1],
  ["adress", "address", 1],
  ["kitten", "sitting", 3],
  ["", "abc", 3],
])("%p and %p differ by %d", (a, b, distance) => {
  expect(editDistance(a, b)).toBe(distance);
  expect(editDistance(b, a)).toBe(distance);
});

test("the nearest word is found without regard to case", () => {
  expect(nearest("trustedproxies", ["timeouts", "trustedProxies"])).toBe("trustedProxies");
  expect(nearest("rout", ["upstreams", "routes"])).toBe("routes");
  expect(nearest("prefx", ["regex", "prefix"])).toBe("prefix");
});

test("a word that is like none has no nearest", () => {
  expect(nearest("colour", ["address", "limits"])).toBeUndefined();
  expect(nearest("to", ["ip"])).toBeUndefined();
});
