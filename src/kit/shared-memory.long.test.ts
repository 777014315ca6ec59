import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SharedCounts } from "./shared-counts.ts";
import {
  blankHead,
  blankRegion,
  readTally,
  SharedMemory,
  type SharedShape,
  sharedBytes,
  usedRegionsAt,
} from "./shared-memory.ts";
import { SharedRates } from "./shared-rates.ts";

const shape: SharedShape = { regions: 4, entries: 1024, buckets: 1024 };
let folder = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "shared-"));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Bytes in which so many regions are in use. */
function memory(regions: number, wanted = shape): Uint8Array {
  const bytes = new Uint8Array(sharedBytes(wanted));
  bytes.set(blankHead(wanted, 7));
  for (let region = 0; region < regions; region++) {
    const blank = blankRegion(wanted, region);
    bytes.set(blank.bytes, blank.at);
  }
  new Int32Array(bytes.buffer)[usedRegionsAt / 4] = regions;
  return bytes;
}

const views = (count: number, wanted = shape) => {
  const bytes = memory(count, wanted);
  return Array.from({ length: count }, (_, region) => SharedMemory.of(bytes, { region, clockOffsetMs: 0 }));
};

/** Runs a program in several processes that map the same file; each finds its memory as `memory`. Resolves to what they print. */
async function inProcesses(count: number, program: string): Promise<string[]> {
  const path = join(folder, "memory");
  writeFileSync(path, memory(count));
  const imports = ["SharedMemory", "SharedCounts", "SharedRates"].map((name) => {
    const file = name.replace(/(?!^)[A-Z]/g, (letter) => `-${letter}`).toLowerCase();
    return `import { ${name} } from ${JSON.stringify(`${import.meta.dir}/${file}.ts`)};`;
  });
  const children = Array.from({ length: count }, (_, region) => {
    const text = `${imports.join("")}
      const memory = SharedMemory.of(Bun.mmap(${JSON.stringify(path)}, { shared: true }), { region: ${region}, clockOffsetMs: 0 });
      const words = memory.words;
      const ready = memory.startOf(${region}) + 8;
      Atomics.store(words, ready, 1);
      while (${JSON.stringify(Array.from({ length: count }, (_, at) => at))}.some((at) => Atomics.load(words, memory.startOf(at) + 8) === 0));
      ${program}`;
    return Bun.spawn([process.execPath, "-e", text], { stdout: "pipe", stdin: "ignore" });
  });
  return Promise.all(children.map(async (child) => (await new Response(child.stdout).text()).trim()));
}

test("each process counts for itself and sees what the others count", () => {
  const [one, two, three] = views(3).map((view) => new SharedCounts(view).of("a")) as [
    ReturnType<SharedCounts["of"]>,
    ReturnType<SharedCounts["of"]>,
    ReturnType<SharedCounts["of"]>,
  ];
  one.add(5);
  two.add(2);
  expect([one.others, two.others, three.others]).toEqual([2, 5, 7]);
  one.add(-5);
  expect([one.own, two.others]).toEqual([0, 0]);
});

test("a region that is handed on has forgotten what was counted in it", () => {
  const bytes = memory(2);
  const count = (region: number) => new SharedCounts(SharedMemory.of(bytes, { region, clockOffsetMs: 0 })).of("a");
  const [dead, other] = [count(0), count(1)];
  dead.add(3);
  expect(other.others).toBe(3);
  const blank = blankRegion(shape, 0);
  bytes.set(blank.bytes, blank.at);
  expect(other.others).toBe(0);
});

test("entries that count nothing are used again, so any number of keys fits in the course of time", () => {
  const [view, other] = views(2) as [SharedMemory, SharedMemory];
  const counts = new SharedCounts(view);
  for (let at = 0; at < 20_000; at++) {
    const count = counts.of(`key ${at}`);
    count.add(1);
    expect(new SharedCounts(other).of(`key ${at}`).others).toBe(1);
    count.add(-1);
  }
});

test("a key without a place is counted for its own process alone", () => {
  const small = { ...shape, entries: 16 };
  const counts = views(2, small).map((view) => new SharedCounts(view)) as [SharedCounts, SharedCounts];
  const all = Array.from({ length: 40 }, (_, at) => counts[0].of(`key ${at}`));
  for (const count of all) count.add(1);
  expect(all.every((count) => count.own === 1)).toBe(true);
  const seen = Array.from({ length: 40 }, (_, at) => counts[1].of(`key ${at}`).others);
  expect(seen.filter((count) => count === 1).length).toBe(16);
});

test("what a process tells of itself can be read when it is dead", () => {
  const bytes = memory(2);
  const view = SharedMemory.of(bytes, { region: 1, clockOffsetMs: 0 });
  for (let count = 0; count < 3; count++) view.tally("sessions", 1);
  view.tally("requests", 1);
  view.tally("sessions", -1);
  expect(readTally(bytes.subarray(view.startOf(1) * 4))).toEqual({ sessions: 2, requests: 1 });
});

test("memory of another layout is refused", () => {
  const bytes = memory(1);
  new Int32Array(bytes.buffer)[0] = 9;
  expect(() => SharedMemory.of(bytes, { region: 0, clockOffsetMs: 0 })).toThrow("layout 9");
});

test("processes that fight over a limit never hold more than it in all, and never leave a place empty", async () => {
  const program = `
    const count = new SharedCounts(memory).of("door");
    let most = 0;
    for (let round = 0; round < 200_000; round++) {
      if (!count.tryAdd(1)) continue;
      most = Math.max(most, Atomics.add(words, memory.startOf(0) + 9, 1) + 1);
      Atomics.sub(words, memory.startOf(0) + 9, 1);
      count.add(-1);
    }
    let got = 0;
    while (count.tryAdd(1000)) got++;
    console.log(most + " " + got);`;
  const results = (await inProcesses(2, program)).map((line) => line.split(" ").map(Number));
  // One that the machine lets sleep through the fight never gets in.
  expect(Math.max(...results.map(([most = 2]) => most))).toBe(1);
  expect(results.reduce((sum, [, got = 0]) => sum + got, 0)).toBe(1000);
});

test("tokens that several processes take at the same moment are as many as there are", async () => {
  const program = `
    const rates = new SharedRates(memory);
    let got = 0;
    for (let round = 0; round < 100_000; round++) if (rates.take("a", { rate: 1, burst: 5000 }, 1000) === 0) got++;
    console.log(got);`;
  const got = (await inProcesses(3, program)).map(Number);
  expect(got.reduce((sum, each) => sum + each, 0)).toBe(5000);
});

test("tokens come back at their rate, up to the burst", () => {
  const [view] = views(1) as [SharedMemory];
  const rates = new SharedRates(view);
  const limit = { rate: 10, burst: 3 };
  const takeAll = (now: number): number => {
    let got = 0;
    while (rates.take("a", limit, now) === 0) got++;
    return got;
  };
  expect(takeAll(5000)).toBe(3);
  expect(rates.waitMs("a", limit, 5000)).toBeCloseTo(100, 1);
  expect(takeAll(5050)).toBe(0);
  expect(takeAll(5200)).toBe(2);
  expect(takeAll(60_000)).toBe(3);
  rates.giveBack("a", limit, 60_000);
  expect(takeAll(60_000)).toBe(1);
  // A month later nothing of it is left.
  expect(takeAll(60_000 + 30 * 86_400_000)).toBe(3);
});

test("a key in use keeps its bucket while 200,000 others pass by, as long as theirs are sooner full", () => {
  const [view] = views(1) as [SharedMemory];
  const rates = new SharedRates(view);
  expect(rates.take("slow", { rate: 0.01, burst: 1 }, 0)).toBe(0);
  for (let at = 0; at < 200_000; at++) rates.take(`fast ${at}`, { rate: 10, burst: 1 }, at / 1000);
  expect(rates.waitMs("slow", { rate: 0.01, burst: 1 }, 200)).toBeGreaterThan(99_000);
});
