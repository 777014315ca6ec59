import { expect, test } from "bun:test";
import { surplusOf } from "./surplus.ts";

test.each([
  { says: "after a scale-out the old ones have too much", loads: [60, 60, 0], tolerance: 20, surplus: [20, 20, 0] },
  { says: "within the tolerance nothing is too much", loads: [110, 95, 95], tolerance: 20, surplus: [0, 0, 0] },
  { says: "beyond it, it is what is above the share", loads: [130, 85, 85], tolerance: 20, surplus: [30, 0, 0] },
  { says: "a session cannot be divided", loads: [1, 0], tolerance: 0, surplus: [0, 0] },
  { says: "nobody is left below the share", loads: [4, 1, 1], tolerance: 0, surplus: [2, 0, 0] },
  { says: "weights count", loads: [60, 60], shares: [100, 50], tolerance: 10, surplus: [0, 20] },
  { says: "one alone has its share", loads: [1000], tolerance: 0, surplus: [0] },
  { says: "there is nothing to give", loads: [0, 0], tolerance: 0, surplus: [0, 0] },
])("$says: $loads", ({ loads, shares, tolerance, surplus }) => {
  const endpoints = loads.map((load, at) => ({ load, share: shares?.[at] ?? 100 }));
  expect(surplusOf(endpoints, tolerance)).toEqual(surplus);
});
