import { expect, test } from "bun:test";
import { coresIn, descriptorLimit } from "./machine.ts";

test.each<[string, number[]]>([
  ["0", [0]],
  ["0-1", [0, 1]],
  ["0-2,7", [0, 1, 2, 7]],
  ["3,5-6", [3, 5, 6]],
  ["", []],
])("the list of cores %p is read as %p", (list, cores) => {
  expect(coresIn(list)).toEqual(cores);
});

test("the limit of descriptors is a number", () => {
  expect(descriptorLimit()).toBeGreaterThan(0);
});
