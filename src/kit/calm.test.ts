import { expect, test } from "bun:test";
import { Calm } from "./calm.ts";

/** How many collections there were after each look. */
function collections(events: readonly number[]): number[] {
  let count = 0;
  const calm = new Calm(() => count++);
  return events.map((sum) => {
    calm.look(sum);
    return count;
  });
}

test("what a busy time left behind is collected once, when nothing happens any more", () => {
  expect(collections([800, 5000, 9000, 9000, 9000])).toEqual([0, 0, 0, 1, 1]);
});

test("as long as anything happens nothing is collected", () => {
  expect(collections([1000, 2000, 2001, 2002])).toEqual([0, 0, 0, 0]);
});

test("little is left until it has become much", () => {
  expect(collections([600, 600, 1200, 1200, 1700, 1700])).toEqual([0, 0, 0, 1, 1, 1]);
});
