import { heapStats } from "bun:jsc";
import { expect, test } from "bun:test";
import { YoungGarbage } from "./young-garbage.ts";

test("what lives long among garbage takes less room for it", () => {
  const withCollections = roomOf(new YoungGarbage());
  const without = roomOf(new YoungGarbage(() => {}));
  expect(withCollections).toBeLessThan(without * 0.9);
});

/** By how much the heap is larger once 5,000 objects are there, each of which was made among 200 that are dead at once (bytes). */
function roomOf(young: YoungGarbage): number {
  Bun.gc(true);
  const before = heapStats().heapCapacity;
  const kept = Array.from({ length: 5000 }, (_, at) => {
    const dead = Array.from({ length: 200 }, (_, other) => ({ at, other }));
    young.grown(at);
    return { at, other: dead.length };
  });
  Bun.gc(true);
  const room = heapStats().heapCapacity - before;
  expect(kept).toHaveLength(5000);
  return room;
}
