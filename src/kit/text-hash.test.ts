import { expect, test } from "bun:test";
import { hashText, mix } from "./text-hash.ts";

test("a text has the same hash everywhere, and another than its neighbours", () => {
  expect(hashText("10.0.0.1:8080")).toBe(hashText(["10.0.0.1", "8080"].join(":")));
  const hashes = new Set(Array.from({ length: 10_000 }, (_, at) => hashText(`10.0.0.1:${at}`)));
  expect(hashes.size).toBeGreaterThan(9995);
});

test("texts that hardly differ are spread evenly", () => {
  const buckets = new Uint32Array(16);
  for (let at = 0; at < 16_000; at++) {
    const bucket = hashText(`user-${at}`) >>> 28;
    buckets[bucket] = (buckets[bucket] ?? 0) + 1;
  }
  expect(Math.min(...buckets)).toBeGreaterThan(850);
  expect(Math.max(...buckets)).toBeLessThan(1150);
});

test("one changed bit changes about half of them", () => {
  let changed = 0;
  for (let bit = 0; bit < 32; bit++) {
    let difference = (mix(12_345) ^ mix(12_345 ^ (1 << bit))) >>> 0;
    for (; difference !== 0; difference &= difference - 1) changed++;
  }
  expect(changed / 32).toBeGreaterThan(13);
  expect(changed / 32).toBeLessThan(19);
});
