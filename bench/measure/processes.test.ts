import { expect, test } from "bun:test";
import { busyMicrosIn, cpuMicrosIn, cpuMicrosOf, residentBytesOf, treeOf } from "./processes.ts";

test("the CPU time of a process is utime plus stime, also where its name holds spaces and parentheses", () => {
  const stat = "4242 (a ) b) S 1 4242 4242 0 -1 4194304 100 0 0 0 150 50 7 7 20 0 4 0 1000 0 0";
  expect(cpuMicrosIn(stat)).toBe(2_000_000);
});

test("a core is busy with everything but idling and waiting for a disk", () => {
  const stat = "cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 1 2 3 1000 2000 4 5 6 0 0\ncpu1 100 0 0 0 0 0 0 0 0 0\n";
  expect(busyMicrosIn(stat, 0)).toBe(210_000);
  expect(busyMicrosIn(stat, 1)).toBe(1_000_000);
  expect(busyMicrosIn(stat, 7)).toBe(0);
});

test("this process uses CPU time and memory, and stands at the head of its tree", () => {
  expect(cpuMicrosOf(process.pid)).toBeGreaterThan(0);
  expect(residentBytesOf(process.pid)).toBeGreaterThan(1_000_000);
  expect(treeOf(process.pid)[0]).toBe(process.pid);
});

test("a child stands in its parent's tree as long as it lives", async () => {
  const child = Bun.spawn(["sleep", "60"]);
  expect(treeOf(process.pid)).toContain(child.pid);
  child.kill("SIGKILL");
  await child.exited;
  expect(treeOf(process.pid)).not.toContain(child.pid);
  expect(cpuMicrosOf(child.pid)).toBe(0);
});
