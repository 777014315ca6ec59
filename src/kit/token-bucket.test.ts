import { expect, test } from "bun:test";
import { TokenBucket } from "./token-bucket.ts";

test("a burst passes at once, and then one at a time at the rate", () => {
  const bucket = new TokenBucket();
  const limit = { rate: 10, burst: 3 };
  for (let count = 0; count < 3; count++) {
    expect(bucket.waitMs(limit, 1_000)).toBe(0);
    bucket.take();
  }
  expect(bucket.waitMs(limit, 1_000)).toBeCloseTo(100);
  expect(bucket.waitMs(limit, 1_040)).toBeCloseTo(60);
  expect(bucket.waitMs(limit, 1_100)).toBe(0);
});

test("over a long time exactly the rate passes", () => {
  const bucket = new TokenBucket();
  const limit = { rate: 7, burst: 1 };
  let passed = 0;
  for (let now = 0; now < 100_000; now += 3) {
    if (bucket.waitMs(limit, now) > 0) continue;
    bucket.take();
    passed++;
  }
  expect(passed).toBeWithin(690, 702);
});

test("a bucket that was left alone is full, and never more than full", () => {
  const bucket = new TokenBucket();
  const limit = { rate: 100, burst: 2 };
  expect(bucket.isFull(limit, 0)).toBe(true);
  bucket.take();
  expect(bucket.isFull(limit, 5)).toBe(false);
  expect(bucket.isFull(limit, 1e9)).toBe(true);
  bucket.take();
  bucket.take();
  expect(bucket.waitMs(limit, 1e9)).toBeGreaterThan(0);
});

test("a new limit takes effect on a bucket in use", () => {
  const bucket = new TokenBucket();
  for (let count = 0; count < 10; count++) {
    expect(bucket.waitMs({ rate: 1, burst: 10 }, 0)).toBe(0);
    bucket.take();
  }
  expect(bucket.waitMs({ rate: 1, burst: 20 }, 0)).toBe(0);
  expect(bucket.waitMs({ rate: 1, burst: 1 }, 0)).toBeCloseTo(1_000);
});
