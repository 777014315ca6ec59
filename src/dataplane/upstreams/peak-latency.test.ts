import { expect, test } from "bun:test";
import { PeakLatency } from "./peak-latency.ts";

test("a rise is followed at once, a fall slowly, and silence lets it fade", () => {
  let now = 0;
  const latency = new PeakLatency(() => now);
  expect(latency.ms).toBe(0);
  latency.answered(10);
  expect(latency.ms).toBe(10);
  latency.answered(100);
  expect(latency.ms).toBe(100);
  now += 1000;
  latency.answered(10);
  expect(latency.ms).toBeGreaterThan(80);
  expect(latency.ms).toBeLessThan(95);
  now += 60_000;
  expect(latency.ms).toBeLessThan(1);
  expect(latency.ms).toBeGreaterThan(0);
});

test("an endpoint that refuses at once does not look quick", () => {
  const latency = new PeakLatency(() => 0);
  latency.answered(5);
  latency.failed(1);
  expect(latency.ms).toBe(1000);
});
