import { expect, test } from "bun:test";
import { Backoff } from "./backoff.ts";

const plan = { firstMs: 100, mostMs: 5000, calmMs: 60_000 };

test("waits double with every failure up to the limit", () => {
  const backoff = new Backoff(plan, () => 1);
  const waits = [0, 1, 2, 3, 4, 5, 6, 7].map((now) => backoff.next(now));
  expect(waits).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000]);
});

test("a wait is never shorter than half of its step", () => {
  const backoff = new Backoff(plan, () => 0);
  expect([backoff.next(0), backoff.next(1)]).toEqual([50, 100]);
});

test("after a calm time the waits start over", () => {
  const backoff = new Backoff(plan, () => 1);
  backoff.next(0);
  backoff.next(10);
  expect(backoff.next(10 + 60_000)).toBe(400);
  expect(backoff.next(70_010 + 60_001)).toBe(100);
});

test("a thousand failures in a row still wait the limit", () => {
  const backoff = new Backoff(plan, () => 1);
  let wait = 0;
  for (let at = 0; at < 1100; at++) wait = backoff.next(at);
  expect(wait).toBe(5000);
});
