import { expect, test } from "bun:test";
import { YoungGarbage } from "./young-garbage.ts";

/** How many collections there were after each step. */
function collections(counts: readonly number[]): number[] {
  let sum = 0;
  const young = new YoungGarbage(() => sum++, 3);
  return counts.map((count) => {
    young.grown(count);
    return sum;
  });
}

test("there is one collection for so many more", () => {
  expect(collections([1, 2, 3, 4, 5, 6, 7])).toEqual([0, 0, 1, 1, 1, 2, 2]);
});

test("where as many go as come there is none", () => {
  expect(collections([1, 2, 1, 2, 2, 2, 1, 2])).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
});

test("after many have gone it is counted from the fewest there were", () => {
  expect(collections([3, 6, 2, 4, 5])).toEqual([1, 2, 2, 2, 3]);
});
