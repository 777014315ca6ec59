import { expect, test } from "bun:test";
import { openDescriptors } from "../../test/support/process-figures.ts";
import { until } from "../../test/support/until.ts";
import { rehearse } from "./rehearsal.ts";

test("a rehearsal goes through thousands of sockets, and leaves none", async () => {
  expect(rehearse()).toBe(2000);
  const before = openDescriptors(process.pid);
  const changes: number[] = [];
  for (let time = 0; time < 3; time++) {
    rehearse();
    changes.push(openDescriptors(process.pid) - before);
  }
  expect(changes).toEqual([0, 0, 0]);
  // Nothing comes of it later either.
  await Bun.sleep(50);
  await until(() => openDescriptors(process.pid) === before);
});
